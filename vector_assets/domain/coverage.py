"""How complete the partitions are: what is counted of them, what their last runs did, and sums over many of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import Self

from ..translation import marked, translate
from .partition_keys import PartitionKey


@dataclass(frozen=True)
class TokenTotals:
    """What the model could see of chunks: their tokens, those beyond its limit, and how many chunks have such."""

    tokens: int = 0
    tokens_lost: int = 0
    truncated_chunks: int = 0

    @property
    def lost_share(self) -> float:
        """Of the tokens, 0 to 1."""
        return self.tokens_lost / self.tokens if self.tokens else 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.tokens + other.tokens,
            self.tokens_lost + other.tokens_lost,
            self.truncated_chunks + other.truncated_chunks,
        )


@dataclass(frozen=True)
class LastRun:
    """The run that last put vectors into a partition: chunks and tokens that had their turn, in so many seconds.

    The token_totals is of all vectors that the partition had after it.
    """

    run_id: str
    ended_at: datetime
    chunks: int
    tokens: int
    seconds: float
    token_totals: TokenTotals = TokenTotals()

    @property
    def chunks_per_second(self) -> float:
        """Reading and committing included, loading the model not."""
        return self.chunks / self.seconds if self.seconds > 0 else 0.0


class _Shares:
    """What follows from the counts."""

    chunks: int
    pending: int
    quarantined: int

    @property
    def current(self) -> int:
        """Chunks with a current vector in the space."""
        return self.chunks - self.pending - self.quarantined

    @property
    def coverage(self) -> float:
        """Chunks with a current vector / chunks; 1 where there are none."""
        return self.current / self.chunks if self.chunks else 1.0


@dataclass(frozen=True)
class PartitionStatus(_Shares):
    """How complete a partition is. Every chunk is current, pending or quarantined, exactly one of them.

    `pending_since` is when the oldest text that is pending was written, or its space was made if that came later.
    """

    partition: PartitionKey
    chunks: int
    pending: int
    quarantined: int
    pending_since: datetime | None
    last_run: LastRun | None

    @property
    def token_totals(self) -> TokenTotals:
        """As the last run left it."""
        return self.last_run.token_totals if self.last_run else TokenTotals()


@dataclass(frozen=True)
class GroupStatus(_Shares):
    """How complete several partitions are together: sums, the longest wait, and the newest of their last runs."""

    name: str
    partitions: int
    chunks: int
    pending: int
    quarantined: int
    pending_since: datetime | None
    last_run: LastRun | None
    token_totals: TokenTotals

    @classmethod
    def of(cls, name: str, members: "Sequence[PartitionStatus | GroupStatus]") -> Self:
        """Add up."""
        waiting = [item.pending_since for item in members if item.pending_since is not None]
        runs = [item.last_run for item in members if item.last_run is not None]
        return cls(
            name,
            sum(item.partitions if isinstance(item, GroupStatus) else 1 for item in members),
            sum(item.chunks for item in members),
            sum(item.pending for item in members),
            sum(item.quarantined for item in members),
            min(waiting, default=None),
            max(runs, key=lambda run: run.ended_at, default=None),
            sum((item.token_totals for item in members), TokenTotals()),
        )


class GroupBy(StrEnum):
    """What partitions can be added up by."""

    PARTITION = "partition"
    MARKET = "market"
    DOC_TYPE = "doc_type"
    COMPANY = "company"

    def name_of(self, key: PartitionKey) -> str:
        """The group that the partition belongs to. A company is a stock code in all markets."""
        names = {
            GroupBy.PARTITION: str(key),
            GroupBy.MARKET: key.market,
            GroupBy.DOC_TYPE: key.doc_type,
            GroupBy.COMPANY: key.stock_code,
        }
        return names[self]


def grouped(statuses: Iterable[PartitionStatus], by: GroupBy) -> list[GroupStatus]:
    """One sum a group, by name."""

    def name_of(status: PartitionStatus) -> str:
        return by.name_of(status.partition)

    return [GroupStatus.of(name, list(members)) for name, members in groupby(sorted(statuses, key=name_of), name_of)]


@dataclass(frozen=True)
class PendingPartition:
    """A partition with pending chunks, and when the oldest of their texts was written."""

    partition: PartitionKey
    pending: int
    oldest_text_at: datetime


_UNITS = ((86_400, marked("{count} days")), (3600, marked("{count} h")), (60, marked("{count} min")))


def readable_age(since: datetime, now: datetime | None = None) -> str:
    """`8 s`, `44 min`, `3 h`, `12 days`: rounded down, from two of a unit on. A moment to come is no age: `0 s`."""
    seconds = max(int(((now or datetime.now(UTC)) - since).total_seconds()), 0)
    for size, age in _UNITS:
        if seconds >= 2 * size:
            return translate(age, count=seconds // size)
    return translate("{seconds} s", seconds=seconds)
