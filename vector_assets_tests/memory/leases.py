"""Leases in memory."""

from datetime import timedelta

from vector_assets.domain.partition_keys import PartitionKey

from .database import LeaseRow, MemoryDatabase, now


class MemoryLeases:
    """The `Leases` port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def take(self, partition: PartitionKey, space_slug: str, run_id: str, period: timedelta) -> int:
        """From whichever run has it."""
        with self._database.lock:
            for token in self._of(partition, space_slug):
                del self._database.leases[token]
            token = next(self._database.tokens)
            self._database.leases[token] = LeaseRow(space_slug, partition, run_id, now() + period)
            return token

    def renew(self, token: int, period: timedelta) -> bool:
        """Unless it was lost."""
        with self._database.lock:
            if token in self._database.leases:
                self._database.leases[token].expires_at = now() + period
            return token in self._database.leases

    def is_held(self, token: int) -> bool:
        """Until another run takes it."""
        return token in self._database.leases

    def release(self, token: int) -> None:
        """Twice is once."""
        self._database.leases.pop(token, None)

    def has_expired(self, partition: PartitionKey, space_slug: str) -> bool:
        """Held, and not renewed."""
        with self._database.lock:
            return any(self._database.leases[token].expires_at < now() for token in self._of(partition, space_slug))

    def expired_runs(self) -> set[str]:
        """Whatever they hold."""
        with self._database.lock:
            return {row.run_id for row in self._database.leases.values() if row.expires_at < now()}

    def _of(self, partition: PartitionKey, space_slug: str) -> list[int]:
        rows = self._database.leases.items()
        return [token for token, row in rows if (row.space_slug, row.partition) == (space_slug, partition)]
