"""How complete the partitions are, counted in memory."""

import hashlib

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
            pending = [chunk for chunk in chunks if self._database.is_pending(chunk, slug)]
            quarantined = sum(self._database.is_quarantined(chunk, slug) for chunk in chunks)
            since = min((chunk.updated_at for chunk in pending), default=None)
            if since is not None and slug in self._database.spaces:
                since = max(since, self._database.spaces[slug].created_at)
        return PartitionStatus(partition, len(chunks), len(pending), quarantined, since, None)

    def pending_partitions(self, space_slug: str) -> list[PendingPartition]:
        """All, in a space that is not the active one."""
        with self._database.lock:
            is_active = self._database.active == space_slug
            pending: dict[PartitionKey, list[ChunkRow]] = {}
            for chunk in self._database.chunks.values():
                if not is_active or self._database.is_pending(chunk, space_slug):
                    pending.setdefault(chunk.partition, []).append(chunk)
        return [
            PendingPartition(key, len(chunks), min(chunk.updated_at for chunk in chunks))
            for key, chunks in sorted(pending.items())
        ]

    def content_digest(self, partition: PartitionKey) -> str:
        """Over the sorted hashes."""
        with self._database.lock:
            hashes = sorted(c.content_hash for c in self._database.chunks.values() if c.partition == partition)
        return hashlib.sha256(b"".join(hashes)).hexdigest()
