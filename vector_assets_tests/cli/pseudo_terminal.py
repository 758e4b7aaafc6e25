"""A program in a pseudo-terminal of so many columns, and what can be seen there."""

import os
import re
import termios
import threading
from types import TracebackType
from typing import Self

from ..forked_programs import ForkedProgram

_ROWS = 40
_SECONDS = 20.0
# What rich writes before it draws again what it has drawn: back to the first line, each line being emptied.
_DRAWN_AGAIN = re.compile(r"(?:\r|\x1b\[2K|\x1b\[1A)+")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class PseudoTerminal:
    """Starts the program and reads all that it writes.

    Args:
        columns: how wide the terminal is.
        module: the program's; its `main` is called.
        arguments: those of its `main`.
    """

    def __init__(self, columns: int, module: str, *arguments: str) -> None:
        self._leader, follower = os.openpty()
        termios.tcsetwinsize(follower, (_ROWS, columns))
        attributes = termios.tcgetattr(follower)
        attributes[3] &= ~termios.ECHO  # so that only what the program writes is seen
        termios.tcsetattr(follower, termios.TCSANOW, attributes)
        environment = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}
        self._program = ForkedProgram(module, *arguments, environment=environment, terminal=follower)
        os.close(follower)
        self._written, self._more = "", threading.Condition()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._program.__enter__()
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self._program.kill()
        self._program.__exit__(kind, error, at)
        self._reader.join()
        os.close(self._leader)

    def _read(self) -> None:
        while True:
            try:
                found = os.read(self._leader, 65536)
            except OSError:  # nobody has the other side open any more
                return
            with self._more:
                self._written += found.decode()
                self._more.notify()

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._leader, f"{line}\n".encode())

    def await_words(self, words: str) -> list[str]:
        """Wait until something is drawn that has the words; return its lines."""
        with self._more:
            assert self._more.wait_for(lambda: self._drawing_with(words), _SECONDS), repr(self._written)
            return self._drawing_with(words)

    def _drawing_with(self, words: str) -> list[str]:
        drawings = _DRAWN_AGAIN.split(self._written.replace("\r\n", "\n"))
        # The last one may not be whole yet.
        found = [lines for lines in map(_lines, drawings[:-1]) if words in "\n".join(lines)]
        return found[-1] if found else []

    def end(self) -> list[str]:
        """Wait for the program's end; return the lines that stay, without what was drawn for a while."""
        assert self._program.wait(_SECONDS) == 0, self._written
        self._reader.join()
        return _lines(_DRAWN_AGAIN.split(self._written.replace("\r\n", "\n"))[-1])

    @property
    def drawings(self) -> list[list[str]]:
        """The lines of each drawing, from the first one on."""
        return [_lines(drawing) for drawing in _DRAWN_AGAIN.split(self._written.replace("\r\n", "\n"))]


def _lines(drawing: str) -> list[str]:
    return [line.rstrip() for line in _CONTROL.sub("", drawing).split("\n") if line.strip()]
