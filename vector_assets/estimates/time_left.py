"""How fast a run is, and how long it will take."""

import time
from collections import deque
from typing import NamedTuple

from .accuracy import Announcements

_RECENT_BATCHES = 16


class _Point(NamedTuple):
    """Seconds since the run began, and tokens embedded by then."""

    elapsed: float
    tokens: int


class Estimate:
    """Tokens to come at the speed since the first batch, which came with the first window's reading.

    Batches are sorted by length, so counting chunks would mislead.
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._first: _Point | None = None
        self._recent: deque[_Point] = deque(maxlen=_RECENT_BATCHES + 1)
        self._announcements = Announcements()
        self.seconds_left: float | None = None
        self.spread: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the first window was asked for."""
        return time.perf_counter() - self._started

    def batch_committed(self, processed: int, tokens: int, tokens_to_come: float) -> None:
        """So many chunks and tokens are done, and so many tokens are expected."""
        now = _Point(self.elapsed, tokens)
        self._first = self._first or now
        self._recent.append(now)
        self.seconds_left = overall = _seconds(tokens_to_come, self._first, now)
        recent = _seconds(tokens_to_come, self._recent[0], now)
        self.spread = None if overall is None or recent is None else abs(recent - overall)
        self._announcements.tell(processed, now.elapsed, self.seconds_left)

    @property
    def recent_seconds_a_batch(self) -> float | None:
        """Of the last sixteen batches, on average; None before the second."""
        batches = len(self._recent) - 1
        return (self._recent[-1].elapsed - self._recent[0].elapsed) / batches if batches > 0 else None

    @property
    def recent_tokens_per_second(self) -> float | None:
        """Of the last sixteen batches; None before the second."""
        if len(self._recent) < 2:
            return None
        first, last = self._recent[0], self._recent[-1]
        seconds = last.elapsed - first.elapsed
        return (last.tokens - first.tokens) / seconds if seconds > 0 else None

    def course(self) -> list[tuple[float, int]]:
        """Seconds since the run began and chunks processed by then, of some hundred batches at most."""
        return self._announcements.course()

    def errors(self) -> dict[int, float | None]:
        """How wrong it was, in percent, when 25, 50 and 75 % of the chunks were done; see `Announcements`."""
        return self._announcements.errors()


def _seconds(tokens_to_come: float, since: _Point, now: _Point) -> float | None:
    """At the speed since then; None where there is none yet."""
    if tokens_to_come == 0:
        return 0.0
    tokens, seconds = now.tokens - since.tokens, now.elapsed - since.elapsed
    return tokens_to_come * seconds / tokens if tokens > 0 and seconds > 0 else None
