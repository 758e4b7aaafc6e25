"""How complete the partitions are, counted in memory."""

import hashlib
from datetime import datetime

from vector_assets.domain.coverage import PartitionStatus, PendingPartition
from vector_assets.domain.partition_keys import PartitionKey

from .database import ChunkRow, MemoryDatabase


class MemoryPartitionStatusQueries:
    """What `PartitionStatusQueries` does, without the last runs."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def status(self, space_slug: str | None) -> list[PartitionStatus]:
        """Partitions that have chunks, by key."""
        with self._database.lock:
            keys = {chunk.partition for chunk in self._database.chunks.values()}
            return [self.partition_status(key, space_slug) for key in sorted(keys)]

    def partition_status(self, partition: PartitionKey, space_slug: str | None) -> PartitionStatus:
        """Of a partition that may have no chunks."""
        slug = space_slug or ""
        with self._database.lock:
            chunks = [chunk for chunk in self._database.chunks.values() if chunk.partition == partition]
            lacking = [chunk for chunk in chunks if not self._is_current_in_retired(chunk, slug)]
            rows = [row for chunk in lacking if (row := self._database.queued(chunk, slug))]
            since = [row.pending_since for row in rows if row.next_attempt_at is not None]
        counts = len(chunks), len(since), len(rows) - len(since)
        return PartitionStatus(partition, *counts, min(since, default=None), None)

    def _is_current_in_retired(self, chunk: ChunkRow, slug: str) -> bool:
        row = self._database.vectors.get(slug, {}).get(chunk.id)
        is_current = row is not None and (row.content_hash, row.partition) == (chunk.content_hash, chunk.partition)
        return is_current and not self._database.is_live(slug)

    def pending_partitions(self, space_slug: str) -> list[PendingPartition]:
        """All, in a space that is not registered."""
        due: dict[PartitionKey, list[datetime]] = {}
        with self._database.lock:
            for chunk in self._database.chunks.values():
                row = self._database.queued(chunk, space_slug)
                if row is not None and row.is_due:
                    due.setdefault(chunk.partition, []).append(row.pending_since)
        return [PendingPartition(key, len(since), min(since), max(since)) for key, since in sorted(due.items())]

    def content_digest(self, partition: PartitionKey) -> str:
        """Over the sorted hashes."""
        with self._database.lock:
            hashes = sorted(c.content_hash for c in self._database.chunks.values() if c.partition == partition)
        return hashlib.sha256(b"".join(hashes)).hexdigest()
