"""How long the embedder may take over one answer."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

from ..errors import EmbedderHung

Result = TypeVar("Result")

# The longest sleep of a thread that may be the main one. The system may give a signal to any thread, and Python answers
# it when the main thread runs next: asleep in a lock it was seen not to, one time in ten, so that Ctrl-C did nothing.
ANSWER_SIGNALS_SECONDS = 0.5


class Deadline:
    """Seconds for each call of the embedder, which threads make while others wait here for what comes of it.

    Native code cannot be interrupted. Whoever waits can stop waiting, though, and leave the thread behind.
    """

    def __init__(self, model: str, seconds: float) -> None:
        self._model = model
        self._seconds = seconds
        self._began: dict[threading.Thread, float] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Put round a call of the embedder by the thread that makes it: nothing else is counted."""
        thread = threading.current_thread()
        self._began[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._began[thread]

    def result(self, future: Future[Result], threads: Sequence[threading.Thread]) -> Result:
        """Wait for the result, or the error, of what one of the threads is at, or will be.

        Raises:
            EmbedderHung: a call that one of the threads makes is overdue.
        """
        while not future.done():
            left = self._left(threads)
            if left <= 0:
                raise EmbedderHung(self._model, self._seconds)
            wait([future], min(left, ANSWER_SIGNALS_SECONDS))
        return future.result()

    def join(self, threads: Sequence[threading.Thread]) -> None:
        """Wait until the threads have ended. Once a call of theirs is overdue, none of them is waited for."""
        for thread in threads:
            while thread.is_alive() and (left := self._left(threads)) > 0:
                thread.join(min(left, ANSWER_SIGNALS_SECONDS))

    def _left(self, threads: Sequence[threading.Thread]) -> float:
        """Seconds until a call is overdue, of those being made and of those that may begin now."""
        began = [at for thread in threads if (at := self._began.get(thread)) is not None]
        return min(began, default=time.monotonic()) + self._seconds - time.monotonic()
