"""Estimate how long a run has left, from the tokens to come and the speed so far."""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from .accuracy import EstimateAccuracy

# Batches over which the recent speed is taken: enough to smooth out short and long ones, and a few seconds of a run.
_RECENT_BATCHES = 16


class _Point(NamedTuple):
    """Seconds since the run began, and tokens embedded by then."""

    elapsed: float
    tokens: int


class RunTimeLeft:
    """Estimates the time left as the tokens to come at the speed since the first batches.

    The first batches themselves do not count, because the reading of the first window came with them. Tokens are
    counted and not chunks, because batches are sorted by length. Batches that are embedded at the same time end
    together: the speed is taken over a multiple of so many batches, or a few that end at once would look like a
    hundredfold speed.

    Args:
        concurrency: how many batches are embedded at the same time.
        clock: seconds that only go forward.
    """

    def __init__(self, concurrency: int = 1, clock: Callable[[], float] = time.perf_counter) -> None:
        self._concurrency = concurrency
        self._clock = clock
        self._started = clock()
        self._batches = 0
        self._first: list[_Point] = []
        self._recent: deque[_Point] = deque(maxlen=_RECENT_BATCHES + 1)
        self._accuracy = EstimateAccuracy()
        self.seconds_left: float | None = None
        """The estimate; None until there is a speed."""
        self.spread: float | None = None
        """By how many seconds the estimate at the recent speed differs; None until the run is longer than that."""

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._started

    def batch_committed(self, processed: int, tokens: int, tokens_to_come: float) -> None:
        """Make a new estimate: so many chunks and tokens are processed, and so many tokens are expected."""
        now = _Point(self.elapsed, tokens)
        if len(self._first) < self._concurrency:
            self._first.append(now)
        self._recent.append(now)
        self.seconds_left = overall = _seconds(tokens_to_come, self._first[self._batches % self._concurrency], now)
        self._batches += 1
        recent = _seconds(tokens_to_come, self._recent[0], now)
        has_spread = self._batches > _RECENT_BATCHES + self._concurrency
        self.spread = abs(recent - overall) if has_spread and recent is not None and overall is not None else None
        self._accuracy.record(processed, now.elapsed, self.seconds_left)

    @property
    def recent_seconds_a_batch(self) -> float | None:
        """The average of the last sixteen batches; None before the second batch."""
        batches = len(self._recent) - 1
        return (self._recent[-1].elapsed - self._recent[0].elapsed) / batches if batches > 0 else None

    @property
    def recent_tokens_per_second(self) -> float | None:
        """The speed of the last sixteen batches; None before the second batch."""
        return _speed(self._recent[0], self._recent[-1]) if self._recent else None

    def errors(self) -> dict[int, float | None]:
        """Return the errors of the estimates in percent, at 25, 50 and 75 % of the chunks; see `EstimateAccuracy`."""
        return self._accuracy.errors()


def _speed(since: _Point, now: _Point) -> float | None:
    """Return the tokens per second between the points; None where no time has passed."""
    seconds = now.elapsed - since.elapsed
    return (now.tokens - since.tokens) / seconds if seconds > 0 else None


def _seconds(tokens_to_come: float, since: _Point, now: _Point) -> float | None:
    """Return the seconds left at the speed between the points; None where there is no speed."""
    if tokens_to_come == 0:
        return 0.0
    speed = _speed(since, now)
    return tokens_to_come / speed if speed else None
