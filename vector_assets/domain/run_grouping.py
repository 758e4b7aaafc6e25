"""Which waiting partitions share a run, and which runs come first: few runs, the oldest first, each market in turn."""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

from ..errors import InvalidPartitionKey
from .partition_keys import PartitionKey

# A range names all partitions between its first and its last. One that has nothing pending costs a tenth of a second, a
# run of its own three.
_MOST_IDLE_BETWEEN = 10

# A run over a range ends after a minute or two, so that one can see it end, and the next one begin.
_MOST_CHUNKS = 4096


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


class PartitionOrder:
    """All partitions in the order of the ranges.

    Args:
        keys: the partitions, in order.
        blocked: those with a run under way, or that rest after a failure. No range holds one of them.
        most_partitions: of a range, those in between included.
    """

    def __init__(self, keys: Sequence[str], blocked: Set[str], most_partitions: int) -> None:
        self._keys = keys
        self._blocked = blocked
        self._most_partitions = most_partitions

    def ranges(self, waiting: Sequence[WaitingPartition]) -> Iterator[RunRange]:
        """Put waiting partitions that are neighbors and not blocked together. All of them must be among the keys."""
        position = {key: number for number, key in enumerate(self._keys)}
        free = [(position[str(item.partition)], item) for item in waiting if str(item.partition) not in self._blocked]
        group: list[tuple[int, WaitingPartition]] = []
        for at, item in sorted(free, key=lambda pair: pair[0]):
            if group and not self._joins(group, at, item):
                yield self._range(group)
                group = []
            group.append((at, item))
        if group:
            yield self._range(group)

    def _joins(self, group: Sequence[tuple[int, WaitingPartition]], at: int, item: WaitingPartition) -> bool:
        (first, first_item), (last, _) = group[0], group[-1]
        between = self._keys[last + 1 : at]
        return (
            at - first < self._most_partitions
            and len(between) <= _MOST_IDLE_BETWEEN
            and sum(member.chunks for _, member in group) + item.chunks <= _MOST_CHUNKS
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
        return RunRange(tuple(PartitionKey.parse(key) for key in keys), min(item.since for _, item in group))


def choose_ranges(waiting: Sequence[WaitingPartition], order: PartitionOrder, most: int) -> list[RunRange]:
    """Choose at most so many ranges, the oldest of each market in turn; none if `most` is 0 or less."""
    by_market: dict[str, list[RunRange]] = defaultdict(list)
    for found in order.ranges(waiting):
        by_market[found.partitions[0].market].append(found)
    queues = sorted((sorted(ranges, key=_since) for ranges in by_market.values()), key=lambda queue: _since(queue[0]))
    in_turn = [found for turn in zip_longest(*queues) for found in turn if found is not None]
    return in_turn[: max(most, 0)]


def _since(found: RunRange) -> datetime:
    return found.since
