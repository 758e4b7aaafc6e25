"""How far the comparison of two spaces is."""

import threading
import time

from ..translation import translate
from . import terminal
from .terminal import err

_LINE_SECONDS = 5.0
"""The least time between two lines where no spinner can be drawn."""


class SpaceProgress:
    """A spinner with counts. Without a terminal, a line if it takes longer than a moment, then one every few seconds.

    It is called with the slug of the space that is asked (empty: its neighbors are compared), and with two counts.
    """

    def __init__(self) -> None:
        self._notice = translate("comparing the spaces")
        self._printed_at = time.monotonic()
        self._spinner = err.status(f"{self._notice} ...") if err.is_terminal else None
        self._first_line = threading.Timer(terminal.NOTICE_SECONDS, self._print)
        self._first_line.daemon = True

    def __enter__(self) -> "SpaceProgress":
        self._spinner.start() if self._spinner else self._first_line.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._spinner.stop() if self._spinner else self._first_line.cancel()

    def __call__(self, space: str, done: int, total: int) -> None:
        """Show what was done."""
        if space:
            self._notice = translate("{space}: {done:,}/{total:,} questions", space=space, done=done, total=total)
        else:
            self._notice = translate("nearest chunks: {done:,}/{total:,} chunks read", done=done, total=total)
        if self._spinner:
            self._spinner.update(f"{self._notice} ...")
        elif time.monotonic() - self._printed_at >= _LINE_SECONDS:
            self._print()

    def _print(self) -> None:
        self._printed_at = time.monotonic()
        err.print(f"{self._notice} ...", markup=False)
