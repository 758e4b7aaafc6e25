"""How fast a server takes tokens where nobody says it: learned from what it accepts and refuses."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

# Limits are those of a minute. What was accepted longer ago says nothing of them.
_MINUTE = 60.0
# What was accepted in a shorter time says more of the first burst than of the limit.
_LEAST_SECONDS = 5.0
# The share of the limit that is used, and that is kept when it is refused all the same.
_SHARE_USED, _SHARE_KEPT = 0.99, 0.97
# After so many seconds without a refusal the pace grows, twice as much each time up to a quarter: near the limit it is
# tried out carefully, and a server that was slow for a while is at full speed a few minutes later.
_GROWS_EACH_SECONDS, _FIRST_GROWTH, _MOST_GROWTH = 30.0, 0.005, 0.25


@dataclass
class Pace:
    """The tokens a second that a server takes, once it has refused some or its headers have said it.

    Until then requests only keep a distance, so that not all of them are under way when the first one is refused.
    Threads may share it.
    """

    clock: Callable[[], float] = time.monotonic
    rate: float | None = None
    _ceiling: float = float("inf")
    _growth: float = _FIRST_GROWTH
    _changed_at: float = 0.0
    _next_turn: float = 0.0
    _measured_seconds: float | None = None
    _accepted: deque[tuple[float, int]] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, tokens: int, distance: float, longest_wait: float) -> float:
        """Reserve a turn, and say in how many seconds it is; not beyond the longest wait. `distance` is in seconds."""
        with self._lock:
            now = self.clock()
            self._grow(now)
            turn = max(self._next_turn, now)
            if turn - now <= longest_wait:
                self._next_turn = turn + (distance if self.rate is None else tokens / self.rate)
            return turn - now

    def accepted(self, began: float, reserved: int, tokens: int, limit: float | None) -> None:
        """Note an answer: when it was asked for, with how many tokens, and the limit of a minute in its headers."""
        with self._lock:
            self._accepted.append((began, tokens))
            while self._accepted[0][0] < began - _MINUTE:
                self._accepted.popleft()
            if self._measured_seconds and self.rate is not None and began <= self._changed_at:
                # It was under way at the refusal, so that the server had taken it as well.
                self.rate += tokens / self._measured_seconds * _SHARE_USED
            if limit is not None and limit / _MINUTE != self._ceiling:
                self._ceiling = limit / _MINUTE
                self.rate = min(self.rate or self._ceiling, self._ceiling) * _SHARE_USED
                self._changed_at = self.clock()
            if self.rate is not None:
                self._next_turn += (tokens - reserved) / self.rate

    def refused(self, began: float, retry_after: float | None) -> bool:
        """Note a refusal for too many tokens. Return whether the pace accounts for it.

        Between the first answer of the last minute and the moment at which the server wants to be asked again, it takes
        what it has accepted. Of requests that were under way together, the first one counts.
        """
        with self._lock:
            if self.rate is not None and began <= self._changed_at:
                return True
            now = self.clock()
            while self._accepted and self._accepted[0][0] < now - _MINUTE:
                self._accepted.popleft()
            if retry_after is None or not self._accepted:
                return False
            seconds = now + retry_after - self._accepted[0][0]
            if seconds < _LEAST_SECONDS:
                return False
            measured = sum(tokens for _, tokens in self._accepted) / seconds * _SHARE_USED
            self._measured_seconds = seconds if self.rate is None else None
            self.rate = measured if self.rate is None else min(self.rate * _SHARE_KEPT, max(measured, self.rate / 2))
            self._growth, self._changed_at = _FIRST_GROWTH, now
            return True

    def _grow(self, now: float) -> None:
        if self.rate is None or now < self._changed_at + _GROWS_EACH_SECONDS:
            return
        most = max(self._ceiling * _SHARE_USED, self.rate) if self._ceiling < float("inf") else float("inf")
        self.rate = min(self.rate * (1 + self._growth), most)
        self._growth, self._measured_seconds = min(2 * self._growth, _MOST_GROWTH), None
        self._changed_at = now
