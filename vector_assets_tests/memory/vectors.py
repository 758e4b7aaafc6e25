"""The vectors of one space in memory."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vector_assets.domain.batches import ChunkFailure, EmbeddedChunk
from vector_assets.domain.search import SearchFilter, SearchHit
from vector_assets.domain.spaces import StoredReferenceVectors, Vectors
from vector_assets.errors import SpaceReplaced

from .database import ChunkRow, FailureRow, MemoryDatabase, VectorRow, now


class MemoryVectorStore:
    """The `VectorStore` port."""

    def __init__(self, database: MemoryDatabase, space_slug: str) -> None:
        self._database = database
        self._space_slug = space_slug

    def commit_batch(
        self, embedded: Sequence[EmbeddedChunk], failures: Sequence[ChunkFailure], run_id: str
    ) -> set[int]:
        """All of it or, when another space is the active one, nothing."""
        with self._database.lock:
            if self._database.active != self._space_slug:
                raise SpaceReplaced(self._space_slug)
            for failure in failures:
                self._store_failure(failure, run_id)
            return {item.chunk.id for item in embedded if self._store_vector(item, run_id)}

    def _store_vector(self, item: EmbeddedChunk, run_id: str) -> bool:
        chunk = self._database.chunks.get(item.chunk.id)
        if chunk is None or chunk.content_hash != item.chunk.content_hash:
            return False
        embedding = item.vector.astype(np.float16)
        row = VectorRow(chunk.partition, chunk.content_hash, embedding, item.tokens, run_id, now())
        self._database.vectors[self._space_slug][chunk.id] = row
        self._database.failures.pop((self._space_slug, chunk.id), None)
        chunk.vectorized_at = row.created_at
        return True

    def _store_failure(self, failure: ChunkFailure, run_id: str) -> None:
        chunk, key = self._database.chunks.get(failure.chunk.id), (self._space_slug, failure.chunk.id)
        if chunk is None or chunk.content_hash != failure.chunk.content_hash:
            return
        before = self._database.failures.get(key)
        attempts = 1
        if before is not None and before.content_hash == chunk.content_hash:
            attempts = before.attempts + (before.run_id != run_id)  # the same commit again is the same attempt
        message = failure.message.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
        row = FailureRow(chunk.content_hash, failure.error, message, run_id, attempts, now())
        self._database.failures[key] = row

    def nearest(self, vector: NDArray[np.float32], where: SearchFilter, limit: int) -> list[SearchHit]:
        """By cosine similarity, equal ones by id."""
        with self._database.lock:
            found = []
            for id_, row in self._database.vectors[self._space_slug].items():
                chunk = self._database.chunks[id_]
                if row.content_hash == chunk.content_hash:
                    found.append((-_cosine(row.embedding, vector), id_, self._hit(row, chunk, vector)))
        return [hit for *_, hit in sorted(found, key=lambda item: item[:2]) if _passes(hit, where)][:limit]

    def _hit(self, row: VectorRow, chunk: ChunkRow, vector: NDArray[np.float32]) -> SearchHit:
        document = self._database.document_of(chunk)
        about = (document.company_name, document.title, document.period, document.language)
        score = _cosine(row.embedding, vector)
        return SearchHit(score, row.partition, document.source_uri, chunk.chunk_index, chunk.text, *about)


class MemoryReferenceVectorStore:
    """The `ReferenceVectorStore` port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def kept(self, space_slug: str, texts: str, dimension: int) -> StoredReferenceVectors | None:
        """None: none yet."""
        return self._database.reference_vectors.get((space_slug, texts))

    def keep(self, space_slug: str, texts: str, vectors: Vectors, device: str) -> None:
        """The first ones stay."""
        self._database.reference_vectors.setdefault((space_slug, texts), StoredReferenceVectors(vectors, device))


def _cosine(stored: NDArray[np.float16], asked: NDArray[np.float32]) -> float:
    vector = stored.astype(np.float32)
    return float(vector @ asked / (np.linalg.norm(vector) * np.linalg.norm(asked)))


def _passes(hit: SearchHit, where: SearchFilter) -> bool:
    values = {**vars(hit.partition), "period": hit.period, "language": hit.language}
    return all(wanted in {None, values[name]} for name, wanted in vars(where).items())
