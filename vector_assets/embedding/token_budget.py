"""Limits the tokens of one call of the model, and lowers the limit when the memory was too small."""

import threading

# Successful calls before the budget grows; a budget that grew at once would fail every other call.
_CALLS_BEFORE_GROWTH = 32
_GROWTH = 1.25


class TokenBudget:
    """The tokens that the next call may hold: halved out of memory, grown again after successes. Threads may share it.

    Args:
        most: the largest and the first budget, padding included.
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
        """Note that a call with the budget `tried` ran out of memory. Calls that failed together halve it once."""
        with self._lock:
            self._tokens = min(self._tokens, max(tried // 2, 1))
            self._successes = 0

    def succeed(self) -> None:
        """Note that a call succeeded."""
        with self._lock:
            self._successes += 1
            if self._successes >= _CALLS_BEFORE_GROWTH and self._tokens < self._most:
                self._tokens = min(int(self._tokens * _GROWTH) + 1, self._most)
                self._successes = 0
