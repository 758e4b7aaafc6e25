"""Text in lines of a width: English is wrapped at blanks, Chinese by its own rules."""

import re
from collections.abc import Iterator

from rich.cells import cell_len

# A word with the blanks behind it.
_WORDS = re.compile(r"\S+\s*|\s+")


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the text in lines of at most `width` cells; a Chinese character takes two.

    Lines end where Unicode's line breaking algorithm (UAX #14) allows it, so that none begins with `。` or `」`. A word
    that is wider than a line is split.
    """
    for line in text.splitlines():
        yield from _wrapped_line(line.strip(), width)


def _wrapped_line(line: str, width: int) -> Iterator[str]:
    taken = ""
    for unit in _units(line):
        if taken and cell_len(taken + unit.rstrip()) > width:
            yield taken.rstrip()
            taken = ""
        taken += unit
        while cell_len(taken.rstrip()) > width:
            fitting = _fitting(taken, width)
            yield taken[:fitting]
            taken = taken[fitting:]
    yield taken.rstrip()


def _units(line: str) -> Iterator[str]:
    """Yield the pieces of a line between which it may be wrapped."""
    if line.isascii():
        yield from _WORDS.findall(line)
        return
    from uniseg.linebreak import line_break_units

    yield from line_break_units(line)


def _fitting(text: str, width: int) -> int:
    """Count the characters that a line has room for, at least one."""
    cells = 0
    for number, character in enumerate(text):
        cells += cell_len(character)
        if cells > width:
            return max(number, 1)
    return len(text)
