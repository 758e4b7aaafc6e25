"""How far a run over several partitions is: which of them is being embedded, and how much of all is done."""

import time
from collections.abc import Callable, Mapping

from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress, readable_share, readable_speed
from ..domain.reports import VectorizeReport
from ..domain.wording import readable_seconds
from ..estimates.backfill_time_left import BackfillTimeLeft
from ..translation import translate


class RunProgress:
    """Counts the chunks of the run's partitions, and estimates the time left for all of them.

    Args:
        chunks: how many chunks are to be embedded of each partition, in the order of the run.
        clock: seconds that only go forward.
    """

    def __init__(self, chunks: Mapping[PartitionKey, int], clock: Callable[[], float] = time.monotonic) -> None:
        self._places = {partition: number for number, partition in enumerate(chunks, 1)}
        self._total = sum(chunks.values())
        self._remaining = BackfillTimeLeft(chunks)
        self._clock = clock
        self._began = clock()
        self._current: PartitionKey | None = None

    def begin(self, partition: PartitionKey) -> None:
        """Go on with a partition; another one that was not finished has failed."""
        if self._current not in (None, partition):
            self.finish(None)
        if self._current is None:
            self._current, self._began = partition, self._clock()

    def finish(self, report: VectorizeReport | None) -> None:
        """Count the current partition as done; the report is None where it failed early."""
        assert self._current is not None, "a partition has begun"
        self._remaining.finish(self._current, report, self._clock() - self._began)
        self._current = None

    def line(self, partition: PartitionKey, progress: BatchProgress) -> str:
        """Format the progress of the partition and of the run as one line.

        It reads `[3/7] us/10-Q/MSFT · batch 2/7 · 64/219 chunks (29.2%) · 138 chunks/s · run 418/1,186 chunks (35.2%)
        · 11 s left`.
        """
        done = min(self.processed(progress), self._total)
        items = [
            f"[{self._places[partition]}/{len(self._places)}] {partition}",
            progress.batch_line(),
            readable_share(progress.processed, progress.total),
            readable_speed(progress.chunks_per_second),
            translate("run {share}", share=readable_share(done, self._total)),
        ]
        seconds = self._remaining.seconds_left(progress)
        if seconds is not None:
            items.append(translate("{duration} left", duration=readable_seconds(seconds)))
        return " · ".join(items)

    def processed(self, progress: BatchProgress) -> int:
        """Count the chunks of the run that are processed, those of the current partition included."""
        return self._total - self._remaining.chunks + progress.processed
