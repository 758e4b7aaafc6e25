"""Score the estimates of the time left, once the true time is known."""

from bisect import bisect_right
from typing import NamedTuple

MARKS = (25, 50, 75)
"""At which percentages of the processed chunks the estimates are scored."""

# Estimates kept. With between half and all of them, a mark is met within 0.4 % of the chunks.
_MAX_KEPT = 512


class _Estimate(NamedTuple):
    processed: int
    elapsed: float
    seconds_left: float | None


class EstimateAccuracy:
    """Records the estimates of a run, batch by batch; memory is bounded however long it runs."""

    def __init__(self) -> None:
        self._kept: list[_Estimate] = []
        self._last: _Estimate | None = None
        self._recorded = 0
        self._every = 1

    def record(self, processed: int, elapsed: float, seconds_left: float | None) -> None:
        """Record an estimate of the seconds left (None: unknown) with the chunks processed and the seconds elapsed."""
        self._last = _Estimate(processed, elapsed, seconds_left)
        if self._recorded % self._every == 0:
            self._kept.append(self._last)
            if len(self._kept) == _MAX_KEPT:
                self._kept = self._kept[::2]
                self._every *= 2
        self._recorded += 1

    def errors(self) -> dict[int, float | None]:
        """Return the error in percent of the estimate that was valid at each mark; ask once the run has ended.

        It is (estimated - true) / true, where the true time is from that estimate to the last one: 100 means that the
        estimate was twice as long, -50 half as long. None: there was no estimate by then, or no time was left.
        """
        return {mark: self._error_at(mark) for mark in MARKS}

    def _error_at(self, mark: int) -> float | None:
        if self._last is None:
            return None
        # The estimate that a reader saw when the mark was reached is the last one before it.
        earlier = bisect_right(self._kept, self._last.processed * mark, key=lambda kept: kept.processed * 100)
        if not earlier:
            return None
        estimate = self._kept[earlier - 1]
        true = self._last.elapsed - estimate.elapsed
        if estimate.seconds_left is None or true <= 0:
            return None
        return 100 * (estimate.seconds_left - true) / true
