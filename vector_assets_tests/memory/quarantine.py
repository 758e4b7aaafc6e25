"""Quarantined chunks in memory."""

from collections.abc import Sequence
from uuid import UUID

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.quarantine import QuarantinedChunk, RetryOutcome

from .database import ChunkRow, MemoryDatabase, QueueRow, now


class MemoryQuarantine:
    """What `Quarantine` does."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def chunks(
        self, space_slug: str, partitions: Sequence[PartitionKey], limit: int | None = None
    ) -> list[QuarantinedChunk]:
        """By partition, document and index."""
        with self._database.lock:
            listed = [self._listed(chunk, row) for chunk, row in self._failed(space_slug, partitions) if not row.is_due]
        return sorted(listed, key=lambda item: (item.partition, item.document, item.chunk_index))[:limit]

    def release(self, space_slug: str, partitions: Sequence[PartitionKey]) -> dict[UUID, PartitionKey]:
        """The attempts are kept."""
        with self._database.lock:
            failed = self._failed(space_slug, partitions)
            for _, row in failed:
                row.next_attempt_at = now()
            return {chunk.id: chunk.partition for chunk, _ in failed}

    def outcome(self, space_slug: str, chunk_ids: Sequence[UUID]) -> RetryOutcome:
        """Deleted chunks are not counted."""
        with self._database.lock:
            chunks = [self._database.chunks[id_] for id_ in chunk_ids if id_ in self._database.chunks]
            pending = sum(self._database.is_pending(chunk, space_slug) for chunk in chunks)
            quarantined = sum(self._database.is_quarantined(chunk, space_slug) for chunk in chunks)
        return RetryOutcome(len(chunks) - pending - quarantined, quarantined, pending)

    def _failed(self, space_slug: str, partitions: Sequence[PartitionKey]) -> list[tuple[ChunkRow, QueueRow]]:
        queue = self._database.queues.get(space_slug, {})
        found = [(self._database.chunks[id_], row) for id_, row in queue.items() if row.attempts]
        return [(chunk, row) for chunk, row in found if chunk.partition in partitions]

    def _listed(self, chunk: ChunkRow, row: QueueRow) -> QuarantinedChunk:
        assert row.failed_at is not None
        return QuarantinedChunk(
            chunk.id,
            chunk.partition,
            self._database.document_of(chunk).source_uri,
            chunk.chunk_index,
            row.error,
            row.message,
            row.attempts,
            row.failed_at,
            row.next_attempt_at,
            row.run_id,
        )
