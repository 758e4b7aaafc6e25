"""Chunks that failed alone."""

from dataclasses import dataclass
from datetime import datetime

from .partition_keys import PartitionKey


@dataclass(frozen=True)
class QuarantinedChunk:
    """A chunk that failed alone and waits; `attempts` are those of its present text.

    `next_attempt_at` None: it waits for new text or for somebody to ask for another try.
    """

    chunk_id: int
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
    """What has become of chunks that were freed for another try; those whose documents are gone count nowhere."""

    vectorized: int
    quarantined: int
    pending: int
