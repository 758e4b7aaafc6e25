"""The time limit of each call of the embedder."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

from ..errors import EmbedderHung

Result = TypeVar("Result")

# A thread that may be the main one sleeps no longer than this. The system may deliver a signal to any thread, and
# Python handles it when the main thread runs next. A main thread that slept in a lock did not, one time in ten, so that
# Ctrl-C had no effect.
ANSWER_SIGNALS_SECONDS = 0.5


class EmbedDeadline:
    """The time limit, in seconds, of each call of one embedder.

    Threads make the calls while another thread waits for the results. Native code cannot be interrupted, so after the
    time limit the waiting thread gives up and abandons the thread that makes the call.

    Args:
        model: the embedder's model.
        seconds: the limit.
        on_failure: is called, perhaps more than once, with the error that ends the work or with GeneratorExit, before
            the threads are joined. It may end what they wait for.
    """

    def __init__(
        self, model: str, seconds: float, on_failure: Callable[[BaseException], None] = lambda _: None
    ) -> None:
        self._model = model
        self._seconds = seconds
        self.on_failure = on_failure
        self._call_started: dict[threading.Thread, float] = {}

    @contextmanager
    def embedder_call(self) -> Iterator[None]:
        """Measure a call of the embedder in the thread that makes it. Nothing else counts against the limit."""
        thread = threading.current_thread()
        self._call_started[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._call_started[thread]

    def wait_for_result(self, future: Future[Result], threads: Sequence[threading.Thread]) -> Result:
        """Return the result of the future, or raise its error, once one of the threads has set it.

        Raises:
            EmbedderHung: a call of the embedder in one of the threads is overdue.
        """
        while not future.done():
            seconds_left = self._seconds_left(threads)
            if seconds_left <= 0:
                raise EmbedderHung(self._model, self._seconds)
            wait([future], min(seconds_left, ANSWER_SIGNALS_SECONDS))
        return future.result()

    def join(self, threads: Sequence[threading.Thread]) -> None:
        """Wait until the threads have ended. As soon as one of their calls is overdue, stop waiting for all of them."""
        for thread in threads:
            while thread.is_alive() and (seconds_left := self._seconds_left(threads)) > 0:
                thread.join(min(seconds_left, ANSWER_SIGNALS_SECONDS))

    def _seconds_left(self, threads: Sequence[threading.Thread]) -> float:
        """Return the seconds until the oldest call is overdue. If there is none, a call may begin now."""
        started = [at for thread in threads if (at := self._call_started.get(thread)) is not None]
        return min(started, default=time.monotonic()) + self._seconds - time.monotonic()
