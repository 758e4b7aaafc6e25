"""Which waiting partitions share a run, and which runs come first: few runs, the oldest first, each market in turn.

Where several runs embed at once, ranges are smaller and large ones come first, so that all nodes end at nearly the same
time.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from math import ceil

from ..errors import InvalidPartitionKey
from .partition_keys import PartitionKey

# A range names all partitions between its first and its last. One that has nothing pending costs a tenth of a second, a
# run of its own three.
_MOST_IDLE_BETWEEN = 10

# A run over a range ends after a minute or two, so that one can see it end, and the next one begin.
_MOST_CHUNKS = 4096

# Of several runs at a time, each gets several ranges: then a node that is slower, or comes later, takes fewer of them,
# and at the end the others wait for a fraction of their work. A run's start takes six seconds on a cluster, in which a
# core embeds some 200 chunks: smaller ranges would cost more by their starts than the nodes gain by sharing.
_RANGES_PER_SLOT = 4
_LEAST_CHUNKS = 1024


@dataclass(frozen=True)
class WaitingPartition:
    """A partition for which something is to be done; the earliest `since` has waited longest."""

    partition: PartitionKey
    since: datetime
    chunks: int = 0


@dataclass(frozen=True)
class RunRange:
    """Neighboring partitions that share a run, in order."""

    partitions: tuple[PartitionKey, ...]
    since: datetime
    chunks: int = 0


class PartitionOrder:
    """All partitions in the order of the ranges.

    Args:
        keys: the partitions, in order.
        blocked: those with a run under way, or that rest after a failure. No range holds one of them.
        most_partitions: of a range, those in between included.
        slots: how many runs work at once.
    """

    def __init__(self, keys: Sequence[str], blocked: Set[str], most_partitions: int, slots: int = 1) -> None:
        self._keys = keys
        self._blocked = blocked
        self._most_partitions = most_partitions
        self.slots = slots

    def ranges(self, waiting: Sequence[WaitingPartition]) -> Iterator[RunRange]:
        """Put waiting partitions that are neighbors and not blocked together. All of them must be among the keys."""
        most_chunks = self._most_chunks(sum(item.chunks for item in waiting))
        position = {key: number for number, key in enumerate(self._keys)}
        free = [(position[str(item.partition)], item) for item in waiting if str(item.partition) not in self._blocked]
        group: list[tuple[int, WaitingPartition]] = []
        for at, item in sorted(free, key=lambda pair: pair[0]):
            if group and not self._joins(group, at, item, most_chunks):
                yield self._range(group)
                group = []
            group.append((at, item))
        if group:
            yield self._range(group)

    def _most_chunks(self, pending: int) -> int:
        """Give the most chunks of a range of several partitions."""
        if self.slots == 1:
            return _MOST_CHUNKS
        share = ceil(pending / (self.slots * _RANGES_PER_SLOT))
        return min(max(share, _LEAST_CHUNKS), _MOST_CHUNKS)

    def _joins(
        self, group: Sequence[tuple[int, WaitingPartition]], at: int, item: WaitingPartition, most_chunks: int
    ) -> bool:
        (first, first_item), (last, _) = group[0], group[-1]
        between = self._keys[last + 1 : at]
        return (
            at - first < self._most_partitions
            and len(between) <= _MOST_IDLE_BETWEEN
            and sum(member.chunks for _, member in group) + item.chunks <= most_chunks
            and item.partition.market == first_item.partition.market
            and all(self._may_lie_between(key, item.partition.market) for key in between)
        )

    def _may_lie_between(self, key: str, market: str) -> bool:
        try:
            return key not in self._blocked and PartitionKey.parse(key).market == market
        except InvalidPartitionKey:  # somebody typed it into the page where partitions are added
            return False

    def _range(self, group: Sequence[tuple[int, WaitingPartition]]) -> RunRange:
        keys = self._keys[group[0][0] : group[-1][0] + 1]
        items = [item for _, item in group]
        since, chunks = min(item.since for item in items), sum(item.chunks for item in items)
        return RunRange(tuple(PartitionKey.parse(key) for key in keys), since, chunks)


def choose_ranges(waiting: Sequence[WaitingPartition], order: PartitionOrder, most: int) -> list[RunRange]:
    """Choose at most so many ranges, the oldest of each market in turn; none if `most` is 0 or less.

    Where several runs work at once, the largest come first among those that wait since the same hour.
    """
    rank = _since if order.slots == 1 else _hour_and_size
    by_market: dict[str, list[RunRange]] = defaultdict(list)
    for found in order.ranges(waiting):
        by_market[found.partitions[0].market].append(found)
    queues = sorted((sorted(ranges, key=rank) for ranges in by_market.values()), key=lambda queue: rank(queue[0]))
    in_turn = [found for turn in zip_longest(*queues) for found in turn if found is not None]
    return in_turn[: max(most, 0)]


def _since(found: RunRange) -> tuple[datetime, int, datetime]:
    return found.since, 0, found.since


def _hour_and_size(found: RunRange) -> tuple[datetime, int, datetime]:
    return found.since.replace(minute=0, second=0, microsecond=0), -found.chunks, found.since
