"""Estimate how long a backfill has left, from the partitions that are finished."""

from collections.abc import Mapping
from copy import copy

from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..domain.reports import VectorizeReport
from .backfill_plan import PARTITION_SECONDS
from .two_costs import TwoCosts

# How many seconds of work the planned speed counts for: it fades as partitions and chunks are measured. A plan by trial
# was off by half at times (benchmarks/RESULTS.md).
_PLAN_SECONDS = 2.0
# How many seconds the speed of other partitions counts for, for the one that is being embedded.
_OTHERS_SECONDS = 5.0


class BackfillTimeLeft:
    """Measures what a partition and what a chunk cost, and multiplies both by what is to come.

    Partitions differ a thousandfold in size, so neither cost alone would do: small ones are all start-up, a large one
    is all embedding.

    Args:
        chunks: how many chunks are to be embedded of each partition that is not finished, in the order of the work.
        planned_seconds: what all of them will take by a plan; then there is an estimate before the first chunk.
    """

    def __init__(self, chunks: Mapping[PartitionKey, int], planned_seconds: float | None = None) -> None:
        self._to_come = dict(chunks)
        self.chunks = sum(chunks.values())
        self._embedding = TwoCosts()
        self._done_partitions = 0.0
        self._other_seconds = 0.0
        if planned_seconds is not None and self.chunks:
            self._count_the_plan(planned_seconds)

    def _count_the_plan(self, seconds: float) -> None:
        embedding = max(seconds - len(self._to_come) * PARTITION_SECONDS, 0.0)
        counted = min(embedding, _PLAN_SECONDS)
        if embedding:
            self._embedding.add(0, self.chunks * counted / embedding, counted)
        self._done_partitions, self._other_seconds = 1.0, PARTITION_SECONDS

    def finish(self, partition: PartitionKey, report: VectorizeReport | None, seconds: float) -> None:
        """Record that a partition took so many seconds; there is no report where it failed early."""
        self.chunks -= self._to_come.pop(partition)
        self._done_partitions += 1
        embedding = min(report.seconds, seconds) if report else 0.0
        if report:
            self._embedding.add(1, report.processed, embedding)
        self._other_seconds += seconds - embedding

    def seconds_left(self, batch: BatchProgress | None = None) -> float | None:
        """Estimate the seconds left; None before the first chunk, where there is no plan.

        `batch` is the last one of the partition that is being embedded. Its own estimate of what is left there counts
        before one by chunks, for it knows their tokens.
        """
        processed, speed = (batch.processed, batch.chunks_per_second) if batch else (0, 0.0)
        here = processed / speed if speed > 0 else 0.0
        so_far = copy(self._embedding)
        so_far.add(1, processed, here)
        costs = so_far.fit()
        if costs is None:
            return None
        left = max(self.chunks - processed, 0)
        left_here = min(max(next(iter(self._to_come.values()), 0) - processed, 0), left)
        by_others = left_here * costs.chunk
        by_itself = left_here * here / processed if here else None
        if batch and batch.seconds_left is not None:
            by_itself = batch.seconds_left
        seconds_here = _pooled(by_itself, here, by_others)
        other = self._other_seconds / self._done_partitions if self._done_partitions else 0.0
        partitions = max(len(self._to_come) - 1, 0)
        return seconds_here + (left - left_here) * costs.chunk + partitions * (costs.part + other)


def _pooled(by_itself: float | None, measured_seconds: float, by_others: float) -> float:
    """Estimate what is left of a partition, at the mean of its own speed and that of the others.

    Texts of one company are alike, and others may take twice as long, but its first seconds say little: its speed
    counts as much as the seconds in which it was measured, that of the others as much as five. The mean is one of
    speeds; one of times would follow a few slow seconds.
    """
    if not by_itself or not by_others:
        return by_others if by_itself is None else by_itself
    weights = measured_seconds + _OTHERS_SECONDS
    return weights / (measured_seconds / by_itself + _OTHERS_SECONDS / by_others)
