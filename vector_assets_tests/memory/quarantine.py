"""Failed chunks in memory."""

from collections.abc import Sequence
from uuid import UUID

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.quarantine import FailedChunk, FailureCounts, RetryOutcome

from .database import EARLIEST, ChunkRow, MemoryDatabase, QueueRow, now


class MemoryQuarantine:
    """What `Quarantine` does."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def chunks(
        self, space_slug: str, partitions: Sequence[PartitionKey], limit: int | None = None
    ) -> list[FailedChunk]:
        """By partition, the quarantined ones first, then by document and index."""
        with self._database.lock:
            listed = [self._listed(chunk, row) for chunk, row in self._failed(space_slug, partitions)]
        return sorted(listed, key=_order)[:limit]

    def counts(self, space_slug: str, partitions: Sequence[PartitionKey]) -> FailureCounts:
        """The next attempt is not in the past."""
        with self._database.lock:
            moments = [row.next_attempt_at for _, row in self._failed(space_slug, partitions)]
        pending = [max(moment, now()) for moment in moments if moment is not None]
        return FailureCounts(len(pending), len(moments) - len(pending), min(pending, default=None))

    def release(self, space_slug: str, partitions: Sequence[PartitionKey]) -> dict[UUID, PartitionKey]:
        """The attempts are kept."""
        with self._database.lock:
            failed = self._failed(space_slug, partitions)
            for _, row in failed:
                row.next_attempt_at = EARLIEST
            return {chunk.id: chunk.partition for chunk, _ in failed}

    def outcome(self, space_slug: str, chunk_ids: Sequence[UUID]) -> RetryOutcome:
        """Deleted chunks are not counted."""
        with self._database.lock:
            chunks = [self._database.chunks[id_] for id_ in chunk_ids if id_ in self._database.chunks]
            queued = sum(self._database.queued(chunk, space_slug) is not None for chunk in chunks)
            quarantined = sum(self._database.is_quarantined(chunk, space_slug) for chunk in chunks)
        return RetryOutcome(len(chunks) - queued, quarantined, queued - quarantined)

    def _failed(self, space_slug: str, partitions: Sequence[PartitionKey]) -> list[tuple[ChunkRow, QueueRow]]:
        queue = self._database.queues.get(space_slug, {})
        found = [(self._database.chunks[id_], row) for id_, row in queue.items() if row.attempts]
        return [(chunk, row) for chunk, row in found if chunk.partition in partitions]

    def _listed(self, chunk: ChunkRow, row: QueueRow) -> FailedChunk:
        assert row.failed_at is not None
        return FailedChunk(
            chunk.id,
            chunk.partition,
            self._database.document_of(chunk).source_uri,
            chunk.chunk_index,
            row.error,
            row.message,
            row.attempts,
            row.failed_at,
            row.next_attempt_at and max(row.next_attempt_at, row.failed_at),
            row.run_id,
        )


def _order(chunk: FailedChunk) -> tuple[PartitionKey, bool, str, int]:
    return chunk.partition, not chunk.is_quarantined, chunk.document, chunk.chunk_index
