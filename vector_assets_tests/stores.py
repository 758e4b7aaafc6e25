"""All stores over one database, real or in memory, and what other programs do to its tables: for tests of both."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.documents import PostgresDocumentStore
from vector_assets.storage.leases import PostgresLeases
from vector_assets.storage.partition_status import PartitionStatusQueries
from vector_assets.storage.quarantine import Quarantine
from vector_assets.storage.reference_vectors import PostgresReferenceVectorStore
from vector_assets.storage.searchable_chunks import SearchableChunks
from vector_assets.storage.space_pairs import PostgresSpacePairs
from vector_assets.storage.spaces import SpaceRegistry
from vector_assets.storage.vectors import PostgresVectorStore

from .memory.chunks import MemoryChunkStore
from .memory.database import ChunkRow, MemoryDatabase, QueueRow, now
from .memory.documents import MemoryChunkingStore, MemoryDocumentStore
from .memory.leases import MemoryLeases
from .memory.partition_status import MemoryPartitionStatusQueries
from .memory.quarantine import MemoryQuarantine
from .memory.searchable_chunks import MemorySearchableChunks
from .memory.space_pairs import MemorySpacePairs
from .memory.spaces import MemorySpaceRegistry
from .memory.vectors import MemoryReferenceVectorStore, MemoryVectorStore

AnyDatabase = Database | MemoryDatabase


class PostgresStores:
    """The real ones."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.documents = self.chunking = PostgresDocumentStore(database)
        self.spaces = SpaceRegistry(database)
        self.leases = PostgresLeases(database)
        self.quarantine = Quarantine(database)
        self.status = PartitionStatusQueries(database)
        self.reference_vectors = PostgresReferenceVectorStore(database)
        self.pairs = PostgresSpacePairs(database)
        self.searchable_chunks = SearchableChunks(database)

    def chunks(self, slug: str) -> PostgresChunkStore:
        return PostgresChunkStore(self.database, slug)

    def vectors(self, slug: str, lease: int | None = None) -> PostgresVectorStore:
        return PostgresVectorStore(self.database, slug, lease=lease)

    def edit(self, text: str, new_text: str) -> None:
        """Change the text of each chunk that has this one."""
        self._execute("UPDATE document_chunks SET text = %s WHERE text = %s", new_text, text)

    def delete_chunk(self, text: str) -> None:
        self._execute("DELETE FROM document_chunks WHERE text = %s", text)

    def delete_documents(self, partition: PartitionKey) -> None:
        self._execute("DELETE FROM documents WHERE stock_code = %s", partition.stock_code)

    def shift_indices(self, by: int) -> None:
        """Change what is no text of any chunk."""
        self._execute("UPDATE document_chunks SET chunk_index = chunk_index + %s", by)

    def move_documents(self, to: PartitionKey) -> None:
        """Put all documents into one partition."""
        query = "UPDATE documents SET (market, doc_type, stock_code) = (%s, %s, %s)"
        self._execute(query, to.market, to.doc_type, to.stock_code)

    def delete_vectors(self, slug: str) -> None:
        self._execute(f"DELETE FROM chunk_vectors_{slug}")

    def set_next_attempt(self, run_id: str, later: timedelta) -> None:
        """Of the failures of a run, so much later than now."""
        self._execute("UPDATE pending_chunks SET next_attempt_at = now() + %s WHERE run_id = %s", later, run_id)

    def texts(self) -> dict[str, list[tuple[UUID, int]]]:
        """Text -> id and index of each chunk that has it, by index."""
        found: dict[str, list[tuple[UUID, int]]] = {}
        query = "SELECT text, id, chunk_index FROM document_chunks ORDER BY chunk_index"
        for text, id_, index in self._execute(query):
            found.setdefault(text, []).append((id_, index))
        return found

    def vectors_by_text(self, slug: str) -> dict[str, np.ndarray]:
        """Text -> the vector that is stored for it."""
        query = f"SELECT c.text, v.embedding FROM chunk_vectors_{slug} v JOIN document_chunks c ON c.id = v.chunk_id"
        return {text: np.array(vector.to_list()) for text, vector in self._execute(query)}

    def failures(self) -> list[tuple[str, str, int]]:
        """Error, message and attempts of each, by chunk."""
        query = "SELECT error, message, attempts FROM pending_chunks WHERE attempts > 0 ORDER BY chunk_id"
        return self._execute(query)

    def _execute(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with self.database.transaction() as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []


class MemoryStores:
    """Those in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.database = database
        self.documents = MemoryDocumentStore(database)
        self.chunking = MemoryChunkingStore(database)
        self.spaces = MemorySpaceRegistry(database)
        self.leases = MemoryLeases(database)
        self.quarantine = MemoryQuarantine(database)
        self.status = MemoryPartitionStatusQueries(database)
        self.reference_vectors = MemoryReferenceVectorStore(database)
        self.pairs = MemorySpacePairs(database)
        self.searchable_chunks = MemorySearchableChunks(database)

    def chunks(self, slug: str) -> MemoryChunkStore:
        return MemoryChunkStore(self.database, slug)

    def vectors(self, slug: str, lease: int | None = None) -> MemoryVectorStore:
        return MemoryVectorStore(self.database, slug, lease)

    def edit(self, text: str, new_text: str) -> None:
        with self.database.lock:
            for chunk in self._chunks(text):
                self.database.edit_chunk(chunk, new_text)

    def delete_chunk(self, text: str) -> None:
        with self.database.lock:
            self.database.delete_chunks([chunk.id for chunk in self._chunks(text)])

    def delete_documents(self, partition: PartitionKey) -> None:
        with self.database.lock:
            rows = list(self.database.documents.values())
            for row in rows:
                if row.document.partition.stock_code == partition.stock_code:
                    self.database.delete_document(row.id)

    def shift_indices(self, by: int) -> None:
        for chunk in self.database.chunks.values():
            chunk.position = chunk.position._replace(chunk_index=chunk.chunk_index + by)

    def move_documents(self, to: PartitionKey) -> None:
        for row in list(self.database.documents.values()):
            self.database.save_document(replace(row.document, partition=to))

    def delete_vectors(self, slug: str) -> None:
        with self.database.lock:
            self.database.delete_vectors(slug)

    def set_next_attempt(self, run_id: str, later: timedelta) -> None:
        for row in self._queued():
            if row.run_id == run_id:
                row.next_attempt_at = now() + later

    def texts(self) -> dict[str, list[tuple[UUID, int]]]:
        found: dict[str, list[tuple[UUID, int]]] = {}
        for chunk in sorted(self.database.chunks.values(), key=lambda chunk: chunk.chunk_index):
            found.setdefault(chunk.text, []).append((chunk.id, chunk.chunk_index))
        return found

    def vectors_by_text(self, slug: str) -> dict[str, np.ndarray]:
        with self.database.lock:
            return {self.database.chunks[id_].text: row.embedding for id_, row in self.database.vectors[slug].items()}

    def failures(self) -> list[tuple[str, str, int]]:
        return [(row.error, row.message, row.attempts) for row in self._queued() if row.attempts]

    def _queued(self) -> list[QueueRow]:
        """Of all spaces, by chunk."""
        return [row for queue in self.database.queues.values() for _, row in sorted(queue.items())]

    def _chunks(self, text: str) -> list[ChunkRow]:
        return [chunk for chunk in self.database.chunks.values() if chunk.text == text]


Stores = PostgresStores | MemoryStores


def stores_of(database: AnyDatabase) -> Stores:
    """Those that fit the database."""
    return MemoryStores(database) if isinstance(database, MemoryDatabase) else PostgresStores(database)
