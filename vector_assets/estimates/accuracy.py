"""How good the announced time left was, once the true one is known."""

from bisect import bisect_right
from typing import NamedTuple

MARKS = (25, 50, 75)
"""At which percentages of the processed chunks the announcements are scored."""

# Announcements kept. With between half and all of them, a mark is met within 0.4 % of the chunks.
_MOST_KEPT = 512


class _Told(NamedTuple):
    processed: int
    elapsed: float
    seconds_left: float | None


class Announcements:
    """What a run says of its time left, batch by batch; memory is bounded however long it runs."""

    def __init__(self) -> None:
        self._kept: list[_Told] = []
        self._last: _Told | None = None
        self._calls = 0
        self._every = 1

    def tell(self, processed: int, elapsed: float, seconds_left: float | None) -> None:
        """Note an announcement: chunks processed so far, seconds since the run began, seconds left (None: not said)."""
        self._last = _Told(processed, elapsed, seconds_left)
        if self._calls % self._every == 0:
            self._kept.append(self._last)
            if len(self._kept) == _MOST_KEPT:
                self._kept = self._kept[::2]
                self._every *= 2
        self._calls += 1

    def course(self) -> list[tuple[float, int]]:
        """Seconds since the run began and chunks processed by then: of at most 513 batches, the last one with them."""
        last = [self._last] if self._last and self._last not in self._kept[-1:] else []
        return [(told.elapsed, told.processed) for told in self._kept + last]

    def errors(self) -> dict[int, float | None]:
        """Mark -> error in percent of the time left that stood announced there; ask once the run has ended.

        (announced - true) / true, where true is from that announcement to the last: 100 means that it said twice as
        long, -50 half as long. None where nothing was announced by then, or no time was left.
        """
        return {mark: self._error_at(mark) for mark in MARKS}

    def _error_at(self, mark: int) -> float | None:
        if self._last is None:
            return None
        # Before the mark nobody had seen the announcements after it.
        seen = bisect_right(self._kept, self._last.processed * mark, key=lambda told: told.processed * 100)
        if not seen:
            return None
        announced = self._kept[seen - 1]
        true = self._last.elapsed - announced.elapsed
        if announced.seconds_left is None or true <= 0:
            return None
        return 100 * (announced.seconds_left - true) / true
