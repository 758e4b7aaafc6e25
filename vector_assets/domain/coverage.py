"""How complete the partitions are: their counts of chunks, their last runs, and sums over many of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import Self

from .partition_keys import PartitionKey
from .wording import readable_coverage


@dataclass(frozen=True)
class TokenTotals:
    """The tokens of chunks, those of them beyond the model's limit, and the number of chunks that have such tokens."""

    tokens: int = 0
    tokens_lost: int = 0
    truncated_chunks: int = 0

    @property
    def lost_share(self) -> float:
        """The share of the tokens that the model does not read, 0 to 1."""
        return self.tokens_lost / self.tokens if self.tokens else 0.0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.tokens + other.tokens,
            self.tokens_lost + other.tokens_lost,
            self.truncated_chunks + other.truncated_chunks,
        )


@dataclass(frozen=True)
class LastRun:
    """The run that last stored vectors of a partition: how many chunks and tokens it processed in how many seconds."""

    run_id: str
    ended_at: datetime
    chunks: int
    tokens: int
    seconds: float

    @property
    def chunks_per_second(self) -> float:
        """The speed with reading and committing, without loading the model."""
        return self.chunks / self.seconds if self.seconds > 0 else 0.0


class _Counts:
    """What follows from the counts of chunks."""

    chunks: int
    pending: int
    quarantined: int
    pending_since: datetime | None

    @property
    def current(self) -> int:
        """Chunks with a current vector in the space."""
        return self.chunks - self.pending - self.quarantined

    @property
    def coverage(self) -> float:
        """Chunks with a current vector / chunks; 1 where there are none."""
        return self.current / self.chunks if self.chunks else 1.0

    @property
    def rounded_coverage(self) -> float:
        """The coverage rounded down to four decimals, so that 1.0 means complete."""
        return self.current * 10_000 // self.chunks / 10_000 if self.chunks else 1.0

    @property
    def coverage_percent(self) -> str:
        """The coverage rounded down: `100%` means complete, `0%` means that no chunk is current."""
        return readable_coverage(self.current, self.chunks)

    def seconds_pending(self, now: datetime) -> float:
        """For how long the oldest pending text has been pending; 0 where nothing is, or a clock was set back."""
        return max((now - self.pending_since).total_seconds(), 0.0) if self.pending_since else 0.0


@dataclass(frozen=True)
class PartitionStatus(_Counts):
    """How complete a partition is. Every chunk is current, pending or quarantined, exactly one of them.

    `pending` includes chunks that failed once and wait for their second attempt. `pending_since` is when the chunk that
    has been pending for longest became so. `token_totals` are of all vectors that the partition has in the space.
    """

    partition: PartitionKey
    chunks: int
    pending: int
    quarantined: int
    pending_since: datetime | None
    last_run: LastRun | None
    token_totals: TokenTotals = TokenTotals()


@dataclass(frozen=True)
class GroupStatus(_Counts):
    """How complete several partitions are together: sums, the oldest pending text, and the newest last run."""

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
        """Add up partitions or groups."""
        since = [item.pending_since for item in members if item.pending_since is not None]
        runs = [item.last_run for item in members if item.last_run is not None]
        return cls(
            name,
            sum(item.partitions if isinstance(item, GroupStatus) else 1 for item in members),
            sum(item.chunks for item in members),
            sum(item.pending for item in members),
            sum(item.quarantined for item in members),
            min(since, default=None),
            max(runs, key=lambda run: run.ended_at, default=None),
            sum((item.token_totals for item in members), TokenTotals()),
        )


class GroupBy(StrEnum):
    """By what partitions can be added up."""

    PARTITION = "partition"
    MARKET = "market"
    DOC_TYPE = "doc_type"
    COMPANY = "company"

    def name_of(self, key: PartitionKey) -> str:
        """Return the name of the partition's group; a company is its stock code in all markets."""
        names = {
            GroupBy.PARTITION: str(key),
            GroupBy.MARKET: key.market,
            GroupBy.DOC_TYPE: key.doc_type,
            GroupBy.COMPANY: key.stock_code,
        }
        return names[self]


def grouped(statuses: Iterable[PartitionStatus], by: GroupBy) -> list[GroupStatus]:
    """Add up the partitions of each group; the groups are in the order of their names."""

    def name_of(status: PartitionStatus) -> str:
        return by.name_of(status.partition)

    return [GroupStatus.of(name, list(members)) for name, members in groupby(sorted(statuses, key=name_of), name_of)]


def with_company_names(groups: Iterable[GroupStatus], names: Mapping[PartitionKey, str]) -> list[GroupStatus]:
    """Put the company's name behind the stock code of each group: `AAPL Apple Inc.`, where the name is known."""
    by_code = {partition.stock_code: name for partition, name in names.items()}
    return [replace(group, name=f"{group.name} {by_code.get(group.name, '')}".rstrip()) for group in groups]


@dataclass(frozen=True)
class PendingPartition:
    """A partition with pending chunks that are due: when the first of them became pending, and when the last."""

    partition: PartitionKey
    pending: int
    pending_since: datetime
    last_pending_since: datetime
