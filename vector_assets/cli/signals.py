"""Ctrl-C, SIGTERM and a closed terminal: work ends between two batches, and nothing is left running."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ..errors import Interrupted

# SIGHUP is not on every system.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stop:
    """`asked` is set by the first signal; a second one ends the process at once."""

    def __init__(self, answer: str, asked: threading.Event) -> None:
        self.asked = asked
        self._answer = answer
        self._number = 0

    def ask(self, number: int, _: FrameType | None) -> None:
        """What a signal does."""
        if self.asked.is_set():
            os._exit(128 + number)
        self._number = number
        self.asked.set()
        click.echo(self._answer, err=True)

    def raise_if_asked(self) -> None:
        """Say that the work has stopped.

        Raises:
            Interrupted: a signal has come.
        """
        if self.asked.is_set():
            raise Interrupted(self._number)


@contextmanager
def stop_on_signals(
    answer: str = "stopping after this batch (once more to end at once) ...", asked: threading.Event | None = None
) -> Iterator[Stop]:
    """Let signals set `asked` instead of raising wherever the program happens to be; the first prints `answer`."""
    stop = Stop(answer, asked or threading.Event())
    with _handled_by(stop.ask):
        yield stop


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the program as an exit does, so that what it started is stopped; Ctrl-C does already."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with _handled_by(leave, [number for number in _SIGNALS if number != signal.SIGINT]):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None], numbers: list[int] = _SIGNALS) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in former.items():
            signal.signal(number, before)
