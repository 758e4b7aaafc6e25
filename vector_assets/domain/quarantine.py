"""Chunks that failed alone, and what became of them when they were tried again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .partition_keys import PartitionKey


@dataclass(frozen=True)
class FailedChunk:
    """A chunk that failed alone; `attempts` are those of its present text that failed.

    After the first one it is pending and has another attempt at `next_attempt_at`. After the second one it is
    quarantined until its text changes or it is retried: `next_attempt_at` is None.
    """

    chunk_id: UUID
    partition: PartitionKey
    document: str
    chunk_index: int
    error: str
    message: str
    attempts: int
    failed_at: datetime
    next_attempt_at: datetime | None
    run_id: str

    @property
    def is_quarantined(self) -> bool:
        """Whether it has no further attempt by itself."""
        return self.next_attempt_at is None

    @property
    def next_attempt(self) -> str:
        """The moment of the next attempt to the minute, in the local time; `none` in quarantine."""
        return f"{self.next_attempt_at.astimezone():%Y-%m-%d %H:%M}" if self.next_attempt_at else "none"


@dataclass(frozen=True)
class FailureCounts:
    """How many chunks failed and are pending, the first of them due at `next_attempt_at`, or are quarantined."""

    pending: int = 0
    quarantined: int = 0
    next_attempt_at: datetime | None = None


@dataclass(frozen=True)
class RetryOutcome:
    """What has become of chunks that were released for another attempt; deleted chunks are not counted."""

    vectorized: int
    quarantined: int
    pending: int
