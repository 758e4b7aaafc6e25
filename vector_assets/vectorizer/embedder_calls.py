"""Every call of the embedder: within its time limit, and made again while the embedder is busy."""

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from ..domain.embedder_wait import EmbedderWait
from ..domain.wording import readable_line
from ..errors import EmbedderBusy, EmbedderUnavailable
from ..translation import translate
from .embed_deadline import EmbedDeadline

Result = TypeVar("Result")
WaitCallback = Callable[[EmbedderWait], None]

logger = logging.getLogger(__name__)

# A service that is over its limit for a moment answers a second later. One that is away for minutes is asked once a
# minute, so that a run goes on soon after it is back.
_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
# A service that says when to come back is believed, but is not asked a hundred times a second if it says "now".
_FIRST_FLOOR_SECONDS, _HIGHEST_FLOOR_SECONDS = 0.01, 1.0
# Calls that were refused together come back up to so much later than asked for, as a share of the wait, one by one.
_SPREAD, _MOST_SPREAD_SECONDS = 0.25, 2.0
# A thread that waits looks this often whether the run was stopped.
_LOOK_SECONDS = 0.1
_SHOWN_CHARACTERS = 200


def log_wait(wait: EmbedderWait) -> None:
    """Log a pause as a warning."""
    logger.warning(wait.line())


class EmbedderCalls:
    """Makes the calls of one run, in any of its threads. A busy embedder gets the same call again later.

    Args:
        deadline: the time limit of each call.
        patience: for how many seconds the embedder may be busy without answering any call of the run.
        interrupted: once it is set, nothing is waited for any more.
        on_wait: is called with each pause, in the thread that waits. Of pauses at the same time only one is reported.
    """

    def __init__(
        self,
        deadline: EmbedDeadline,
        patience: float,
        interrupted: threading.Event | None = None,
        on_wait: WaitCallback = log_wait,
    ) -> None:
        self.deadline = deadline
        self._patience = patience
        self._interrupted = interrupted or threading.Event()
        self._ended = threading.Event()
        self._on_wait = on_wait
        self._lock = threading.Lock()
        self._busy_since: float | None = None
        self._reported_until = 0.0

    def call(self, work: Callable[[], Result]) -> Result:
        """Make a call, again after each time that the embedder says that it is busy.

        Raises:
            EmbedderUnavailable: the patience is over.
            EmbedderBusy: the run was stopped while it waited.
        """
        refusals = 0
        while True:
            try:
                with self.deadline.embedder_call():
                    result = work()
            except EmbedderBusy as error:
                self._wait(error, refusals)
                refusals += 1
            else:
                self._busy_since = None
                return result

    def end(self) -> None:
        """End all waits: their calls raise."""
        self._ended.set()

    def _wait(self, error: EmbedderBusy, refusals: int) -> None:
        now = time.monotonic()
        with self._lock:
            if self._busy_since is None:
                self._busy_since = now
            patience_left = self._busy_since + self._patience - now
        seconds = _seconds_to_wait(error.retry_after, refusals)
        if patience_left <= 0 or (error.retry_after or 0.0) > patience_left:
            waited = self._patience - patience_left
            raise EmbedderUnavailable(error.model, error.reason, waited, error.retry_after) from error
        seconds = min(seconds, patience_left)
        self._report(error, now, seconds, patience_left)
        while (left := now + seconds - time.monotonic()) > 0:
            if self._interrupted.is_set() or self._ended.wait(min(left, _LOOK_SECONDS)):
                raise error

    def _report(self, error: EmbedderBusy, now: float, seconds: float, patience_left: float) -> None:
        """Report the pause, unless one that ends about then was reported."""
        with self._lock:
            if now + seconds < self._reported_until + _FIRST_WAIT_SECONDS:
                return
            self._reported_until = now + seconds
        moment = datetime.now().astimezone()
        until, gives_up_at = moment + timedelta(seconds=seconds), moment + timedelta(seconds=patience_left)
        try:
            self._on_wait(EmbedderWait(readable_line(error.reason, _SHOWN_CHARACTERS), until, gives_up_at))
        except Exception:
            logger.warning(translate("a pause could not be reported; the work goes on"), exc_info=True)


def _seconds_to_wait(retry_after: float | None, refusals: int) -> float:
    """Return what the service asks for, else a second, twice as long each time; with a random share on top."""
    doubled = 2.0 ** min(refusals, 10)
    if retry_after is not None:
        seconds = max(retry_after, min(_FIRST_FLOOR_SECONDS * doubled, _HIGHEST_FLOOR_SECONDS))
    else:
        seconds = min(_FIRST_WAIT_SECONDS * doubled, _LONGEST_WAIT_SECONDS)
    return seconds + random.uniform(0.0, min(seconds * _SPREAD, _MOST_SPREAD_SECONDS))  # noqa: S311  (nobody is to be kept from guessing it)
