"""Texts in boxes on a page of a PDF are put into the page's text, beside the words that they belong to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfTextPage

# A label stands on the line of its field if their middles are no farther apart, in points.
_MAX_OFFSET = 9.0
# The label of a ticked box is the next word.
_MAX_MARK_GAP = 40.0
# A higher box has several lines, and its label stands at the first.
_LINE_HEIGHT = 24.0
_OVERLAP = 2.0


class Box(NamedTuple):
    """A rectangle on a page, in points from its lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def line(self) -> float:
        """The height of the middle of its first line."""
        return max((self.bottom + self.top) / 2, self.top - _LINE_HEIGHT / 2)


@dataclass(frozen=True)
class Typed:
    """A text and the box in which it is shown. A mark, such as a ticked box, stands before its label."""

    text: str
    box: Box
    is_mark: bool = False


class _Character(NamedTuple):
    """A character of a page's text: its number, and its box."""

    number: int
    box: Box


def merged(text_page: "PdfTextPage", typed: Iterable[Typed]) -> str:
    """Return the page's text with the typed texts in it, in reading order where several stand at the same word."""
    characters = _characters(text_page)
    drawn = [item for item in characters if item.box.right > item.box.left and item.box.top > item.box.bottom]
    places = [(_place(item, drawn), item) for item in typed]
    places.sort(key=lambda place: (place[0][0], -place[1].box.line, place[1].box.left))
    pieces, start = list[str](), 0
    for (at, before, after), item in places:
        pieces += [text_page.get_text_range(start, at - start) if at > start else "", before, item.text, after]
        start = max(start, at)
    rest = len(characters) - start
    return "".join([*pieces, text_page.get_text_range(start, rest) if rest > 0 else ""]).strip("\r\n")


def _characters(text_page: "PdfTextPage") -> list[_Character]:
    return [_Character(number, Box(*text_page.get_charbox(number))) for number in range(text_page.count_chars())]


def _place(typed: Typed, characters: Sequence[_Character]) -> tuple[int, str, str]:
    """Return the number of the character before which the text belongs, and what parts it from its neighbors."""
    box = typed.box
    on_line = [item for item in characters if abs(item.box.line - box.line) <= _MAX_OFFSET]
    if typed.is_mark:
        labels = [item for item in on_line if -_OVERLAP <= item.box.left - box.right <= _MAX_MARK_GAP]
        if labels:
            return min(labels, key=lambda item: item.box.left).number, "", " "
    before = [item for item in on_line if item.box.right <= box.left + _OVERLAP]
    inside = [item for item in on_line if box.left <= item.box.left and item.box.right <= box.right]
    if nearest := inside or before:
        return max(nearest, key=lambda item: item.box.right).number + 1, " ", ""
    above = [item for item in characters if item.box.bottom >= box.top - _OVERLAP]
    if above:
        lowest = min(item.box.bottom for item in above)
        last = max(item.number for item in above if item.box.bottom <= lowest + _MAX_OFFSET)
        return last + 1, "\n", ""
    return 0, "", "\n"
