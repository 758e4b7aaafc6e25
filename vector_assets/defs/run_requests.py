"""Which runs a sensor asks for: few, the oldest first, and each market in its turn."""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..errors import InvalidPartitionKey
from .partitions import run_tags
from .runtime.tags import PRIORITY_TAG, RANGE_END_TAG, RANGE_START_TAG

# Dagster takes 0.12 s to submit a run, and a tick may last 60.
MOST_REQUESTS = 100

# A range must name all partitions between its first and its last. One that has nothing pending costs a tenth of a
# second, a run of its own three.
_LONGEST_DETOUR = 10

# A run over a range ends after a minute or two, so that one may see it end, and the next one begin.
_MOST_CHUNKS = 4096

# What a sensor finds has just arrived, and is little; a backfill's runs have the default, 0.
_PRIORITY = "1"


@dataclass(frozen=True)
class Waiting:
    """A partition for which something is to be done; `since` tells which has waited longest."""

    partition: PartitionKey
    since: datetime
    chunks: int = 0


@dataclass(frozen=True)
class Request:
    """A run over neighbouring partitions, in Dagster's order."""

    partitions: tuple[PartitionKey, ...]
    since: datetime

    def as_dagster(self) -> dg.RunRequest:
        """Without a run_key: Dagster would drop a partition for good once a run with the same key had failed."""
        tags = {**run_tags(self.partitions), PRIORITY_TAG: _PRIORITY}
        first, last = str(self.partitions[0]), str(self.partitions[-1])
        if first == last:
            return dg.RunRequest(partition_key=first, tags=tags)
        return dg.RunRequest(tags={**tags, RANGE_START_TAG: first, RANGE_END_TAG: last})


def choose(waiting: Sequence[Waiting], order: "Order", most_requests: int) -> list[Request]:
    """At most so many requests for what waits and is not blocked; none if that is 0 or less."""
    by_market: dict[str, list[Request]] = defaultdict(list)
    for request in order.neighbours(waiting):
        by_market[request.partitions[0].market].append(request)
    queues = sorted((sorted(requests, key=_age) for requests in by_market.values()), key=lambda queue: _age(queue[0]))
    in_turn = [request for turn in zip_longest(*queues) for request in turn if request is not None]
    return in_turn[: max(most_requests, 0)]


def _age(request: Request) -> datetime:
    return request.since


class Order:
    """All partitions in the order that Dagster has them in, which is that of its ranges.

    Args:
        keys: the partitions, in order.
        blocked: those of which a run is under way, or which rest after a failure. No range may hold them.
        most_partitions: of a range, those in between included.
    """

    def __init__(self, keys: Sequence[str], blocked: Set[str], most_partitions: int) -> None:
        self._keys = keys
        self._blocked = blocked
        self._most_partitions = most_partitions

    def neighbours(self, waiting: Sequence[Waiting]) -> Iterator[Request]:
        """What waits, put together where it lies together. All of it must be among the keys."""
        position = {key: number for number, key in enumerate(self._keys)}
        free = [(position[str(item.partition)], item) for item in waiting if str(item.partition) not in self._blocked]
        together: list[tuple[int, Waiting]] = []
        for at, item in sorted(free, key=lambda pair: pair[0]):
            if together and not self._joins(together, at, item):
                yield self._request(together)
                together = []
            together.append((at, item))
        if together:
            yield self._request(together)

    def _joins(self, together: Sequence[tuple[int, Waiting]], at: int, item: Waiting) -> bool:
        (first, eldest), (last, _) = together[0], together[-1]
        detour = self._keys[last + 1 : at]
        return (
            at - first < self._most_partitions
            and len(detour) <= _LONGEST_DETOUR
            and sum(one.chunks for _, one in together) + item.chunks <= _MOST_CHUNKS
            and item.partition.market == eldest.partition.market
            and all(self._may_be_passed(key, item.partition.market) for key in detour)
        )

    def _may_be_passed(self, key: str, market: str) -> bool:
        try:
            return key not in self._blocked and PartitionKey.parse(key).market == market
        except InvalidPartitionKey:  # somebody typed it into the page where partitions are added
            return False

    def _request(self, together: Sequence[tuple[int, Waiting]]) -> Request:
        keys = self._keys[together[0][0] : together[-1][0] + 1]
        return Request(tuple(PartitionKey.parse(key) for key in keys), min(item.since for _, item in together))
