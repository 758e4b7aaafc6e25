"""How far a backfill is that runs of Dagster do, on any number of machines, and how long it has left."""

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from ..domain.runs_at_work import RunAtWork


class LaunchedBackfill:
    """Adds up what the runs of a backfill report.

    Args:
        chunks: how many chunks are to be embedded of each partition, by its key.
        planned_seconds: what all of them will take by a plan, until there is a speed.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        chunks: Mapping[str, int],
        planned_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chunks = chunks
        self._planned_seconds = planned_seconds
        self._clock = clock
        self._first: tuple[float, int] | None = None
        self.total = sum(chunks.values())
        self.processed = 0
        """How many of the chunks are processed."""
        self.seconds_left = planned_seconds
        """None before there is a speed or a plan."""
        self.at_work: Sequence[RunAtWork] = ()
        """The last batches of the runs under way."""

    @property
    def partitions(self) -> AbstractSet[str]:
        """The keys of its partitions."""
        return self._chunks.keys()

    @property
    def chunks_per_second(self) -> float:
        """The sum of the speeds of the runs under way."""
        return sum(run.chunks_per_second for run in self.at_work)

    def update(self, done: AbstractSet[str], failed: AbstractSet[str], reported: Sequence[RunAtWork]) -> None:
        """Take the state of the partitions, and the last batch of each run; of other partitions they are left out."""
        runs = [run for run in reported if run.partition in self._chunks]
        embedded: dict[str, int] = {}
        for run in runs:
            embedded[run.partition] = embedded.get(run.partition, 0) + run.processed
        processed = {key: min(embedded.get(key, 0), chunks) for key, chunks in self._chunks.items()}
        processed |= {key: self._chunks[key] for key in done if key in self._chunks}
        self.processed = sum(processed.values())
        self.at_work = [run for run in runs if run.partition not in done and run.partition not in failed]
        self.seconds_left = self._estimate(sum(self._chunks[key] - processed[key] for key in failed - done))

    def _estimate(self, given_up: int) -> float | None:
        """Multiply what is to come by the time that a chunk has taken, since the first ones were seen."""
        now, to_come = self._clock(), self.total - given_up - self.processed
        if self._first is None:
            self._first = (now, self.processed) if self.processed else None
        began, before = self._first or (now, self.processed)
        if self.processed > before:
            return to_come * (now - began) / (self.processed - before)
        return None if self._planned_seconds is None else to_come * self._planned_seconds / self.total
