"""Chunks that failed on their own, and what became of them when they were tried again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from .partition_keys import PartitionKey


@dataclass(frozen=True)
class QuarantinedChunk:
    """A chunk that failed on its own; `attempts` are those of its present text.

    `next_attempt_at` None: it stays quarantined until its text changes or it is retried.
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


@dataclass(frozen=True)
class RetryOutcome:
    """What has become of chunks that were released for another attempt; deleted chunks are not counted."""

    vectorized: int
    quarantined: int
    pending: int
