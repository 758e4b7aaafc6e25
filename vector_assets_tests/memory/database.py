"""The tables as dictionaries, and what PostgreSQL's triggers do when a row changes."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vector_assets.domain.chunks import DocumentChunk, TokenizedText, text_hash
from vector_assets.domain.documents import Document, DocumentRejection
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.spaces import LIVE, EmbeddingSpace, SpaceStatus, StoredReferenceVectors
from vector_assets.storage.documents import ChunkPosition, position_of

# Earlier than any moment, as PostgreSQL's -infinity is.
EARLIEST = datetime.min.replace(tzinfo=UTC)


def now() -> datetime:
    """Read the clock, as the database does."""
    return datetime.now(UTC)


@dataclass
class DocumentRow:
    """A row of `documents`."""

    id: UUID
    document: Document
    chunked_by: str | None = None


@dataclass
class ChunkRow:
    """A row of `document_chunks`."""

    id: UUID
    document_id: UUID
    partition: PartitionKey
    position: ChunkPosition
    text: str
    content_hash: bytes
    updated_at: datetime

    @property
    def chunk_index(self) -> int:
        """Its number in the document, from 0."""
        return self.position.chunk_index


@dataclass
class VectorRow:
    """A row of `chunk_vectors_<space>`, as precise as halfvec."""

    partition: PartitionKey
    content_hash: bytes
    embedding: NDArray[np.float16]
    tokens: TokenizedText
    run_id: str
    created_at: datetime


@dataclass
class QueueRow:
    """A row of `pending_chunks`. Without a next attempt the chunk is quarantined until somebody asks for another."""

    partition: PartitionKey
    content_hash: bytes
    pending_since: datetime = field(default_factory=now)
    next_attempt_at: datetime | None = EARLIEST
    attempts: int = 0
    error: str = ""
    message: str = ""
    run_id: str = ""
    failed_at: datetime | None = None

    @property
    def is_due(self) -> bool:
        """Whether the next run embeds the chunk."""
        return self.next_attempt_at is not None and self.next_attempt_at <= now()


@dataclass
class LeaseRow:
    """A row of `partition_leases`."""

    space_slug: str
    partition: PartitionKey
    run_id: str
    expires_at: datetime


@dataclass
class SpaceRow:
    """A row of `embedding_spaces`."""

    space: EmbeddingSpace
    status: SpaceStatus
    created_at: datetime = field(default_factory=now)
    served_until: datetime | None = None


def _chunk_sources(document: Document) -> tuple[str, ...]:
    return document.text, document.partition.stock_code, document.company_name, document.title, document.period


class MemoryDatabase:
    """All tables. Whoever reads or writes more than one row holds `lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.documents: dict[UUID, DocumentRow] = {}
        self.rejections: dict[str, DocumentRejection] = {}
        self.chunks: dict[UUID, ChunkRow] = {}
        self.spaces: dict[str, SpaceRow] = {}
        self.vectors: dict[str, dict[UUID, VectorRow]] = {}
        self.queues: dict[str, dict[UUID, QueueRow]] = {}
        self.reference_vectors: dict[tuple[str, str], StoredReferenceVectors] = {}
        self.leases: dict[int, LeaseRow] = {}
        self.tokens = count(1)
        self._ids = (UUID(int=number) for number in count(1))

    def is_live(self, space_slug: str) -> bool:
        """Whether the space is kept up to date."""
        return space_slug in self.spaces and self.spaces[space_slug].status in LIVE

    def save_document(self, document: Document) -> None:
        """Insert or update; a document whose chunks would change is unchunked, and its partition is its chunks' too."""
        for row in self.documents.values():
            if row.document.source_uri == document.source_uri:
                if _chunk_sources(row.document) != _chunk_sources(document):
                    row.chunked_by = None
                if row.document.partition != document.partition:
                    self._move_chunks(row.id, document.partition)
                row.document = document
                return
        id_ = next(self._ids)
        self.documents[id_] = DocumentRow(id_, document)

    def _move_chunks(self, document_id: UUID, partition: PartitionKey) -> None:
        for chunk in self.chunks_of(document_id):
            chunk.partition, chunk.updated_at = partition, now()
            self._queue(chunk)

    def insert_chunk(self, document_id: UUID, index: int, chunk: DocumentChunk) -> None:
        """Fill in the partition and the hash; the chunk has no vector yet."""
        id_, partition = next(self._ids), self.documents[document_id].document.partition
        position, content_hash = position_of(index, chunk), text_hash(chunk.text)
        self.chunks[id_] = ChunkRow(id_, document_id, partition, position, chunk.text, content_hash, now())
        self._queue(self.chunks[id_])

    def edit_chunk(self, chunk: ChunkRow, text: str) -> None:
        """New text has no vector yet."""
        if text != chunk.text:
            chunk.text, chunk.content_hash, chunk.updated_at = text, text_hash(text), now()
            self._queue(chunk)

    def _queue(self, chunk: ChunkRow) -> None:
        for slug in self.spaces:
            if self.is_live(slug):
                self.queues[slug][chunk.id] = QueueRow(chunk.partition, chunk.content_hash)

    def queue_missing(self, space_slug: str) -> None:
        """Queue the chunks without a current vector that are not queued."""
        for chunk in self.chunks.values():
            vector = self.vectors[space_slug].get(chunk.id)
            if vector is None or (vector.content_hash, vector.partition) != (chunk.content_hash, chunk.partition):
                self.queues[space_slug].setdefault(chunk.id, QueueRow(chunk.partition, chunk.content_hash))

    def delete_chunks(self, ids: Sequence[UUID]) -> None:
        """Vectors and rows of the queues go along."""
        for id_ in ids:
            self.chunks.pop(id_, None)
            for table in (*self.vectors.values(), *self.queues.values()):
                table.pop(id_, None)

    def delete_document(self, id_: UUID) -> None:
        """Its chunks go along."""
        self.delete_chunks([chunk.id for chunk in self.chunks_of(id_)])
        del self.documents[id_]

    def delete_vectors(self, space_slug: str) -> None:
        """Of a live space: their chunks are pending again."""
        self.vectors[space_slug].clear()
        if self.is_live(space_slug):
            self.queue_missing(space_slug)

    def chunks_of(self, document_id: UUID) -> list[ChunkRow]:
        """A document's chunks by their index."""
        found = (chunk for chunk in self.chunks.values() if chunk.document_id == document_id)
        return sorted(found, key=lambda chunk: chunk.chunk_index)

    def document_of(self, chunk: ChunkRow) -> Document:
        """The document that the chunk belongs to."""
        return self.documents[chunk.document_id].document

    def queued(self, chunk: ChunkRow, space_slug: str) -> QueueRow | None:
        """The chunk's row in the queue of a space. In a space that is not registered, each chunk would have one."""
        if not self.is_live(space_slug):
            return QueueRow(chunk.partition, chunk.content_hash, chunk.updated_at)
        return self.queues[space_slug].get(chunk.id)

    def is_quarantined(self, chunk: ChunkRow, space_slug: str) -> bool:
        """Whether the chunk is left out until its text changes or it is retried."""
        row = self.queued(chunk, space_slug)
        return row is not None and row.next_attempt_at is None

    def is_due(self, chunk: ChunkRow, space_slug: str) -> bool:
        """Whether the next run embeds the chunk."""
        row = self.queued(chunk, space_slug)
        return row is not None and row.is_due
