"""How many requests run at once: as many as the server takes, found by itself."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_FIRST = 4.0


class Concurrency:
    """Grows while requests succeed, and is halved when one is refused (additive increase, multiplicative decrease).

    Until the first refusal, and after one up to half of what was refused, it grows by one with each success; beyond,
    by one with each round of successes. So it is back at its former height a few answers after a pause.

    Args:
        most: the largest and never exceeded number.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._limit = min(_FIRST, most)
        self._grows_fast_to = float(most)
        self._running = 0
        self._halved_at = float("-inf")
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many requests may run at this moment, at least 1."""
        return int(self._limit)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until one more request may run, and hold its place."""
        with self._changed:
            self._changed.wait_for(lambda: self._running < self.limit)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def grow(self) -> None:
        """Note that a request succeeded."""
        with self._changed:
            step = 1.0 if self._limit < self._grows_fast_to else 1.0 / self._limit
            self._limit = min(self._limit + step, self.most)
            self._changed.notify_all()

    def halve(self, began: float) -> None:
        """Note that a request that began then was refused. Of requests that ran together, the first one counts."""
        with self._changed:
            if began <= self._halved_at:
                return
            self._halved_at = time.monotonic()
            self._grows_fast_to = self._limit / 2
            self._limit = max(self._limit / 2, 1.0)
