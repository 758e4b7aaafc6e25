"""Raised and lowered figures of a PDF, such as the marks of notes, are kept apart from the figure beside them."""

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

_DIGITS = re.compile(r"[0-9]{2,}")
# The mark of a note is set smaller than the figure, in most type at six or seven tenths.
_MAX_HEIGHT = 0.85
# The part of the height that is below the line, in most type.
_DESCENT = 0.2
# It stands higher or lower by at least a tenth. Small figures on the line, e.g. cents, stay as they are.
_MIN_SHIFT = 0.1


class _Line(NamedTuple):
    """The line on which a character stands, and how high its type is, in points."""

    base: float
    height: float


def with_marked_figures(text: str, listed: str, text_page: "PdfTextPage") -> str:
    """Write 1,234 with the raised note 2 as `1,234^2`, because 1,2342 is another figure.

    The text of the page has the digits in the same order as `listed`, PDFium's list of its characters; otherwise it
    stays as it is.
    """
    runs = list(_DIGITS.finditer(text))
    if not runs:
        return text
    places = list(_DIGITS.finditer(listed))
    if [run[0] for run in runs] != [place[0] for place in places]:
        return text
    pieces, end = list[str](), 0
    for run, place in zip(runs, places, strict=True):
        pieces += [text[end : run.start()], _marked(run[0], place.start(), text_page)]
        end = run.end()
    return "".join([*pieces, text[end:]])


def _marked(digits: str, at: int, text_page: "PdfTextPage") -> str:
    from pypdfium2 import raw

    first, last = _line_of(text_page, at), _line_of(text_page, at + len(digits) - 1)
    small, large = sorted((first, last), key=lambda line: line.height)
    is_raised = small.base - large.base > _MIN_SHIFT * large.height
    is_lowered = large.base - small.base > _MIN_SHIFT * large.height
    if small.height > _MAX_HEIGHT * large.height or not (is_raised or is_lowered):
        return digits
    if any(raw.FPDFText_GetUnicode(text_page, at + number) != ord(digit) for number, digit in enumerate(digits)):
        return digits
    middle = (small.height + large.height) / 2
    is_small = [_line_of(text_page, at + number).height < middle for number in range(len(digits))]
    border = is_small.index(not is_small[0])
    mark = " " if is_small[0] else "^" if is_raised else "_"
    return digits[:border] + mark + digits[border:]


def _line_of(text_page: "PdfTextPage", number: int) -> _Line:
    _, bottom, _, top = text_page.get_charbox(number, loose=True)
    return _Line(bottom + _DESCENT * (top - bottom), top - bottom)
