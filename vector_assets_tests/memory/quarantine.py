"""Quarantined chunks in memory."""

from collections.abc import Sequence

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.quarantine import QuarantinedChunk, RetryOutcome

from .database import ChunkRow, FailureRow, MemoryDatabase, now


class MemoryQuarantine:
    """What `Quarantine` does."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def chunks(
        self, space_slug: str, partitions: Sequence[PartitionKey], limit: int | None = None
    ) -> list[QuarantinedChunk]:
        """By partition, document and index."""
        with self._database.lock:
            listed = [
                self._listed(chunk, failure)
                for chunk, failure in self._failed(space_slug, partitions)
                if failure.is_quarantined
            ]
        return sorted(listed, key=lambda item: (item.partition, item.document, item.chunk_index))[:limit]

    def release(self, space_slug: str, partitions: Sequence[PartitionKey]) -> dict[int, PartitionKey]:
        """The attempts are kept."""
        with self._database.lock:
            failed = self._failed(space_slug, partitions)
            for _, failure in failed:
                failure.next_attempt_at = now()
            return {chunk.id: chunk.partition for chunk, _ in failed}

    def outcome(self, space_slug: str, chunk_ids: Sequence[int]) -> RetryOutcome:
        """Deleted chunks are not counted."""
        with self._database.lock:
            chunks = [self._database.chunks[id_] for id_ in chunk_ids if id_ in self._database.chunks]
            vectorized = sum(chunk.vectorized_at is not None for chunk in chunks)
            quarantined = sum(self._database.is_quarantined(chunk, space_slug) for chunk in chunks)
        return RetryOutcome(vectorized, quarantined, len(chunks) - vectorized - quarantined)

    def _failed(self, space_slug: str, partitions: Sequence[PartitionKey]) -> list[tuple[ChunkRow, FailureRow]]:
        chunks = [chunk for chunk in self._database.chunks.values() if chunk.partition in partitions]
        found = [(chunk, self._database.failure_of(chunk, space_slug)) for chunk in chunks]
        return [(chunk, failure) for chunk, failure in found if failure is not None]

    def _listed(self, chunk: ChunkRow, failure: FailureRow) -> QuarantinedChunk:
        return QuarantinedChunk(
            chunk.id,
            chunk.partition,
            self._database.document_of(chunk).source_uri,
            chunk.chunk_index,
            failure.error,
            failure.message,
            failure.attempts,
            failure.failed_at,
            failure.next_attempt_at,
            failure.run_id,
        )
