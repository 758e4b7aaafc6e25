"""The vectors of one space in memory."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from vector_assets.domain.batches import ChunkFailure, EmbeddedChunk
from vector_assets.domain.chunks import Chunk, ChunkSelection
from vector_assets.domain.failure_backoff import SECOND_ATTEMPT_AFTER
from vector_assets.domain.search import ChunkFilter, SearchHit
from vector_assets.domain.spaces import StoredReferenceVectors, Vectors
from vector_assets.errors import LeaseLost, SpaceNotFound, SpaceNotLive

from .database import ChunkRow, MemoryDatabase, QueueRow, VectorRow, now
from .searchable_chunks import passes


class MemoryVectorStore:
    """The `VectorStore` port."""

    def __init__(self, database: MemoryDatabase, space_slug: str, lease: int | None = None) -> None:
        self._database = database
        self._space_slug = space_slug
        self._lease = lease

    def commit_batch(
        self, embedded: Sequence[EmbeddedChunk], failures: Sequence[ChunkFailure], run_id: str
    ) -> set[UUID]:
        """All of it or, where the space is not kept up to date, nothing."""
        with self._database.lock:
            if not self._database.is_live(self._space_slug):
                raise SpaceNotLive(self._space_slug)
            if self._lease is not None and self._lease not in self._database.leases:
                raise LeaseLost
            for failure in failures:
                self._store_failure(failure, run_id)
            return {item.chunk.id for item in embedded if self._store_vector(item, run_id)}

    def _store_vector(self, item: EmbeddedChunk, run_id: str) -> bool:
        if self._queued(item.chunk) is None:
            return self._is_stored(item.chunk, run_id)
        embedding = item.vector.astype(np.float16)
        row = VectorRow(item.chunk.partition, item.chunk.content_hash, embedding, item.tokens, run_id, now())
        self._database.vectors[self._space_slug][item.chunk.id] = row
        del self._database.queues[self._space_slug][item.chunk.id]
        return True

    def _is_stored(self, chunk: Chunk, run_id: str) -> bool:
        now_there, row = self._database.chunks.get(chunk.id), self._database.vectors[self._space_slug].get(chunk.id)
        if now_there is None or row is None:
            return False
        is_current = (now_there.content_hash, now_there.partition) == (row.content_hash, row.partition)
        return is_current and (row.content_hash, row.run_id) == (chunk.content_hash, run_id)

    def _store_failure(self, failure: ChunkFailure, run_id: str) -> None:
        row = self._queued(failure.chunk)
        if row is None:
            return
        if row.is_due:  # the same commit again is the same attempt
            row.next_attempt_at = now() + SECOND_ATTEMPT_AFTER if row.attempts == 0 else None
            row.attempts += 1
        row.message = failure.message.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
        row.error, row.run_id, row.failed_at = failure.error, run_id, now()

    def vectors_of_texts(self, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Of any chunks."""
        with self._database.lock:
            rows = self._database.vectors[self._space_slug].values()
            return {row.content_hash: row.embedding.astype(np.float32) for row in rows if row.content_hash in hashes}

    def discard(self, selection: ChunkSelection, run_id: str) -> int:
        """The chunks are pending again."""
        with self._database.lock:
            table = self._database.vectors[self._space_slug]
            stored = [
                id_
                for id_, row in table.items()
                if row.run_id == run_id and (row.partition == selection.partition or id_ in selection.chunk_ids)
            ]
            for id_ in stored:
                del table[id_]
            self._database.queue_missing(self._space_slug)
            return len(stored)

    def _queued(self, chunk: Chunk) -> QueueRow | None:
        row = self._database.queues[self._space_slug].get(chunk.id)
        return row if row and (row.content_hash, row.partition) == (chunk.content_hash, chunk.partition) else None

    def nearest(self, vector: NDArray[np.float32], where: ChunkFilter, limit: int) -> list[SearchHit]:
        """By cosine similarity, equal ones by id."""
        with self._database.lock:
            if self._space_slug not in self._database.vectors:
                raise SpaceNotFound(self._space_slug)
            found = []
            for id_, row in self._database.vectors[self._space_slug].items():
                chunk = self._database.chunks[id_]
                if row.content_hash == chunk.content_hash:
                    found.append((-_cosine(row.embedding, vector), id_, self._hit(row, chunk, vector)))
        return [hit for *_, hit in sorted(found, key=lambda item: item[:2]) if _passes(hit, where)][:limit]

    def similarities(self, vector: NDArray[np.float32], chunk_ids: Sequence[UUID]) -> list[SearchHit]:
        """Compare with the current vectors of these chunks."""
        return [hit for hit in self.nearest(vector, ChunkFilter(), sys.maxsize) if hit.chunk_id in set(chunk_ids)]

    def unscored(self, chunk_ids: Sequence[UUID]) -> list[SearchHit]:
        """The same without a comparison."""
        vectors = self._database.vectors[self._space_slug]
        anything = next(iter(vectors.values())).embedding.astype(np.float32) if vectors else np.ones(1, np.float32)
        return [replace(hit, score=None) for hit in self.similarities(anything, chunk_ids)]

    def _hit(self, row: VectorRow, chunk: ChunkRow, vector: NDArray[np.float32]) -> SearchHit:
        document = self._database.document_of(chunk)
        about = (document.company_name, document.title, document.period, document.language)
        score = _cosine(row.embedding, vector)
        return SearchHit(
            score, row.partition, document.source_uri, chunk.chunk_index, chunk.text, *about, chunk_id=chunk.id
        )


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


def _passes(hit: SearchHit, where: ChunkFilter) -> bool:
    return passes(where, hit.partition, hit.period, hit.language)
