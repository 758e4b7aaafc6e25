"""Stop on Ctrl-C, SIGTERM or a closed terminal: between two batches, with nothing left running."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ..errors import Interrupted
from ..translation import translate

# Not every system has SIGHUP.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stop:
    """Whether a signal asked to stop. The first sets `asked` and prints a notice; a second ends the process at once."""

    def __init__(self, notice: str, asked: threading.Event) -> None:
        self.asked = asked
        self._notice = notice
        self._number = 0

    def ask(self, number: int, _: FrameType | None) -> None:
        """Handle a signal."""
        if self.asked.is_set():
            os._exit(128 + number)
        self._number = number
        self.asked.set()
        click.echo(self._notice, err=True)

    def raise_if_asked(self, message: str | None = None) -> None:
        """End the work if a signal asked for it; the message says what was done, where the caller knows it.

        Raises:
            Interrupted: a signal asked to stop.
        """
        if self.asked.is_set():
            raise Interrupted(self._number, message)


@contextmanager
def stop_on_signals(notice: str | None = None, asked: threading.Event | None = None) -> Iterator[Stop]:
    """Let signals set `asked` instead of raising in the middle of the work; the first one prints the notice."""
    notice = notice or translate("stopping after this batch (once more to end at once) ...")
    stop = Stop(notice, asked or threading.Event())
    with _handled_by(stop.ask):
        yield stop


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the program as an exit does, so that what it started is stopped.

    Ctrl-C needs no handler for that: it raises KeyboardInterrupt.
    """

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
