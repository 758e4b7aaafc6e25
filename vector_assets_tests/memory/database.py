"""The tables as dictionaries, and what PostgreSQL's triggers do when a row changes."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import numpy as np
from numpy.typing import NDArray

from vector_assets.domain.chunks import TokenizedText, text_hash
from vector_assets.domain.documents import Document, DocumentRejection
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.spaces import EmbeddingSpace, StoredReferenceVectors


def now() -> datetime:
    """Read the clock, as the database does."""
    return datetime.now(UTC)


@dataclass
class DocumentRow:
    """A row of `documents`."""

    id: int
    document: Document
    chunked_by: str | None = None


@dataclass
class ChunkRow:
    """A row of `document_chunks`."""

    id: int
    document_id: int
    partition: PartitionKey
    chunk_index: int
    text: str
    content_hash: bytes
    updated_at: datetime
    vectorized_at: datetime | None = None


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
class FailureRow:
    """A row of `chunk_failures`."""

    content_hash: bytes
    error: str
    message: str
    run_id: str
    attempts: int
    failed_at: datetime
    next_attempt_at: datetime | None = None

    @property
    def is_quarantined(self) -> bool:
        """Whether the chunk waits for new text or for a later time."""
        return self.next_attempt_at is None or self.next_attempt_at > now()


@dataclass
class SpaceRow:
    """A row of `embedding_spaces`."""

    space: EmbeddingSpace
    created_at: datetime = field(default_factory=now)


class MemoryDatabase:
    """All tables. Whoever reads or writes more than one row holds `lock`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.documents: dict[int, DocumentRow] = {}
        self.rejections: dict[str, DocumentRejection] = {}
        self.chunks: dict[int, ChunkRow] = {}
        self.spaces: dict[str, SpaceRow] = {}
        self.active: str | None = None
        self.vectors: dict[str, dict[int, VectorRow]] = {}
        self.failures: dict[tuple[str, int], FailureRow] = {}
        self.reference_vectors: dict[tuple[str, str], StoredReferenceVectors] = {}
        self._document_ids = count(1)
        self._chunk_ids = count(1)

    def save_document(self, document: Document) -> None:
        """Insert or update; new text is unchunked, and a new partition is the chunks' too."""
        for row in self.documents.values():
            if row.document.source_uri == document.source_uri:
                if row.document.text != document.text:
                    row.chunked_by = None
                if row.document.partition != document.partition:
                    self._move_chunks(row.id, document.partition)
                row.document = document
                return
        id_ = next(self._document_ids)
        self.documents[id_] = DocumentRow(id_, document)

    def _move_chunks(self, document_id: int, partition: PartitionKey) -> None:
        for chunk in self.chunks_of(document_id):
            chunk.partition, chunk.vectorized_at, chunk.updated_at = partition, None, now()

    def insert_chunk(self, document_id: int, index: int, text: str) -> None:
        """Fill in the partition and the hash; the chunk has no vector yet."""
        id_, partition = next(self._chunk_ids), self.documents[document_id].document.partition
        self.chunks[id_] = ChunkRow(id_, document_id, partition, index, text, text_hash(text), now())

    def edit_chunk(self, chunk: ChunkRow, text: str) -> None:
        """New text has no vector yet."""
        if text != chunk.text:
            chunk.text, chunk.content_hash, chunk.vectorized_at, chunk.updated_at = text, text_hash(text), None, now()

    def delete_chunks(self, ids: Sequence[int]) -> None:
        """Vectors and failures go along."""
        for id_ in ids:
            self.chunks.pop(id_, None)
            for table in self.vectors.values():
                table.pop(id_, None)
            for key in [key for key in self.failures if key[1] == id_]:
                del self.failures[key]

    def delete_document(self, id_: int) -> None:
        """Its chunks go along."""
        self.delete_chunks([chunk.id for chunk in self.chunks_of(id_)])
        del self.documents[id_]

    def delete_vectors(self, space_slug: str) -> None:
        """Of the active space: their chunks are pending again."""
        for id_ in self.vectors[space_slug]:
            if space_slug == self.active:
                self.chunks[id_].vectorized_at = None
        self.vectors[space_slug].clear()

    def chunks_of(self, document_id: int) -> list[ChunkRow]:
        """A document's chunks by their index."""
        found = (chunk for chunk in self.chunks.values() if chunk.document_id == document_id)
        return sorted(found, key=lambda chunk: chunk.chunk_index)

    def document_of(self, chunk: ChunkRow) -> Document:
        """The document that the chunk belongs to."""
        return self.documents[chunk.document_id].document

    def failure_of(self, chunk: ChunkRow, space_slug: str) -> FailureRow | None:
        """The failure of the chunk's present text, with no vector since."""
        failure = self.failures.get((space_slug, chunk.id))
        if failure is None or failure.content_hash != chunk.content_hash or chunk.vectorized_at is not None:
            return None
        return failure

    def is_quarantined(self, chunk: ChunkRow, space_slug: str) -> bool:
        """Whether the chunk is left out until its text changes or it is retried."""
        failure = self.failure_of(chunk, space_slug)
        return failure is not None and failure.is_quarantined

    def is_pending(self, chunk: ChunkRow, space_slug: str) -> bool:
        """Whether the next run embeds the chunk."""
        return chunk.vectorized_at is None and not self.is_quarantined(chunk, space_slug)
