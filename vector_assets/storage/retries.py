"""Work that was stopped by something that passes is done again, after waits that grow."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential, wait_random

from ..errors import DatabaseUnreachable
from ..translation import translate

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

# A server that restarts is back within seconds, one that moves to another machine within half a minute.
PATIENCE_SECONDS = 60.0

# Where the server answers, what stood in the way (a deadlock, a time limit) is over at once or stays for long.
MOST_ATTEMPTS = 4

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 8.0


class Retries:
    """How long, and how often, work is done again.

    Args:
        seconds: how long a database that does not answer is waited for, from its first failure on.
        attempts: how often work is done at most if the database answers.
        first_wait: seconds; each further wait is twice as long, up to 16 times the first, and a little longer at random
            so that processes which failed together do not come back together.
        ended: once it is set, nothing is waited for any more, in any thread.
        pause: waits for so many seconds; by default no longer than until `ended` is set.
    """

    def __init__(
        self,
        seconds: float = PATIENCE_SECONDS,
        attempts: int = MOST_ATTEMPTS,
        first_wait: float = _FIRST_WAIT_SECONDS,
        ended: threading.Event | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.seconds = seconds
        self.ended = ended or threading.Event()
        self.pause = pause or self.ended.wait
        self._attempts = attempts
        self._first_wait = first_wait

    def call(self, work: Callable[[], Result], worth: Callable[[BaseException], bool]) -> Result:
        """Do the work, again after each error that is worth it, and raise the last error when a limit is reached.

        Doing the work twice must be as good as doing it once: it may have been done when it failed.
        """
        longest = min(_LONGEST_WAIT_SECONDS, 16 * self._first_wait)
        retrying = Retrying(
            retry=retry_if_exception(worth),
            stop=_Limit(self.seconds, self._attempts, self.ended),
            wait=wait_exponential(self._first_wait, longest) + wait_random(0, self._first_wait),
            before_sleep=self._log,
            sleep=self._wait,
            reraise=True,
        )
        return retrying(work)

    def _log(self, state: RetryCallState) -> None:
        assert state.outcome is not None
        error = state.outcome.exception()
        message = translate(
            "attempt {attempt} in {seconds:.1f} s: {error}",
            attempt=state.attempt_number + 1,
            seconds=state.upcoming_sleep,
            error=error,
        )
        logger.warning(message)

    def _wait(self, seconds: float) -> None:
        self.pause(seconds)


class _Limit:
    """Ends the attempts by the clock while the database does not answer, else by their number."""

    def __init__(self, seconds: float, attempts: int, ended: threading.Event) -> None:
        self._seconds = seconds
        self._attempts = attempts
        self._ended = ended
        self._failing_since: float | None = None

    def __call__(self, state: RetryCallState) -> bool:
        # Not from the beginning of the work, which may have gone on for minutes before it failed.
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        assert state.outcome is not None
        if self._ended.is_set():
            return True
        if isinstance(state.outcome.exception(), DatabaseUnreachable):
            return time.monotonic() - self._failing_since >= self._seconds
        return state.attempt_number >= self._attempts
