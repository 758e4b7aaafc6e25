"""How many tokens one call of the model may hold, learnt from running out of memory."""

import threading

# Calls that must go well before more is tried; a budget that grew at once would fail every other call.
_CALLS_BEFORE_GROWTH = 32
_GROWTH = 1.25


class TokenBudget:
    """Halved when a call ran out of memory, grown back while calls go well. Threads may share it.

    Args:
        most: tokens in a call at most, padding included; where it begins.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._tokens = most
        self._successes = 0
        self._lock = threading.Lock()

    @property
    def tokens(self) -> int:
        """Tokens that the next call may hold."""
        return self._tokens

    def halve(self, tried: int) -> None:
        """A call with the budget `tried` ran out of memory. Several that failed together halve it once."""
        with self._lock:
            self._tokens = min(self._tokens, max(tried // 2, 1))
            self._successes = 0

    def succeed(self) -> None:
        """A call went well."""
        with self._lock:
            self._successes += 1
            if self._successes >= _CALLS_BEFORE_GROWTH and self._tokens < self._most:
                self._tokens = min(int(self._tokens * _GROWTH) + 1, self._most)
                self._successes = 0
