"""Lines of text, put together as a browser lays them out: white space collapses, blocks begin new lines."""

import re

_COLLAPSED = re.compile(r"[ \t\n\r\f\xa0]+")
_COLUMN_GAP = re.compile(r" *\t[ \t]*| {2,}")
PICTURE = "\ufffc"
"""Stands for a picture or a control among the letters."""
GAP = "  "
"""What parts the cells of a table row, and the columns of preformatted text."""


# Where a word may be broken at the end of a line; nothing is shown of it elsewhere.
_SOFT_HYPHEN = "\xad"
_SLASHES = ("/", "\N{FRACTION SLASH}")


class TextFlow:
    """Takes pieces of text in their order, and the breaks between them. Breaks at the beginning or end are dropped.

    A break becomes text only when more text follows, so that neighboring breaks count once. `before` is the character
    before the first one, if any.
    """

    def __init__(self, before: str = "") -> None:
        self._pieces: list[str] = []
        self._breaks = 0
        self._space = ""
        self._marker = ""
        self._script = ""
        self._last = before
        self._follows_picture = False

    @property
    def before(self) -> str:
        """The character right before what is added next: U+FFFC for a picture, nothing after white space."""
        if self._follows_picture:
            return PICTURE
        return "" if self._breaks or self._space else self._last

    @property
    def ends_with_space(self) -> bool:
        """Whether white space follows the text."""
        return bool(self._space)

    def pass_picture(self) -> None:
        """Let what follows be beside a picture."""
        self._follows_picture = True

    def write(self, text: str) -> None:
        """Add text of a line. Runs of white space become one space, and none begins a line.

        A space that does not break a line counts as any other, so that no text has one more than another has.
        """
        if len(text) == 1 or "  " in text or not text.isprintable():
            text = _COLLAPSED.sub(" ", text)
        if text.startswith(" "):
            self._space, self._follows_picture = self._space or " ", False
            text = text[1:]
        if not text:
            return
        if text.endswith(" "):
            self._add(text[:-1])
            self._space = " "
        else:
            self._add(text)

    def write_lines(self, text: str) -> None:
        """Add preformatted text: its line breaks are kept, and the columns of its tables stay apart."""
        for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
            if number:
                self.break_line()
            columns = _COLUMN_GAP.sub(GAP, line.replace("\xa0", " "))
            if columns.strip():
                self._add(columns)
            elif columns:
                self.leave_gap(columns)

    def write_row(self, text: str) -> None:
        """Add a whole row of a table, which may have several lines."""
        self.begin_block()
        if text:
            self._add(text)
        self.begin_block()

    def break_line(self) -> None:
        """End the line; where it is empty, leave a line empty."""
        self._breaks += 1
        self._space, self._follows_picture = "", False

    def begin_block(self, breaks: int = 1) -> None:
        """Let what follows begin a new line, or with two breaks a paragraph after an empty line."""
        self._breaks = max(self._breaks, breaks)
        self._space, self._follows_picture = "", False

    def leave_gap(self, gap: str = " ") -> None:
        """Part what follows from the text before it on the same line."""
        self._space = gap

    def mark_item(self, marker: str) -> None:
        """Put the marker of a list item before the text that follows."""
        self._marker += marker

    def drop_marker(self, marker: str) -> None:
        """Forget the marker of an item that has ended without any text."""
        self._marker = self._marker.removesuffix(marker)

    def begin_script(self, mark: str) -> None:
        """Begin a superscript (`^`) or subscript (`_`), whose mark is written where a figure would become another."""
        self._script = mark
        # A raised and a lowered figure about a slash are a fraction: 3 1/2, not 3^1/2.
        if mark == "_" and self._last in _SLASHES and len(self._pieces) > 2 and self._pieces[-3] == "^":
            self._pieces[-3] = " "

    def end_script(self, mark: str) -> None:
        """End a superscript or subscript."""
        self._script = "" if self._script == mark else f"after {mark}"

    def text(self) -> str:
        """Return all that was added."""
        return "".join(self._pieces).replace(_SOFT_HYPHEN, "")

    def _add(self, text: str) -> None:
        if self._pieces and self._breaks:
            self._pieces.append("\n" * min(self._breaks, 2))
        elif self._pieces and self._space:
            self._pieces.append(self._space)
        elif self._script:
            self._pieces += filter(None, [_script_mark(self._script, self._last, text[0])])
        if self._marker:
            self._pieces.append(self._marker)
        self._pieces.append(text)
        self._breaks, self._space, self._marker, self._script, self._last = 0, "", "", "", text[-1]
        self._follows_picture = False


def _script_mark(script: str, before: str, after: str) -> str:
    """Return what keeps a superscript or subscript from being read as part of the figure or word beside it.

    1,234 with the note 2 is `1,234^2`, not 1,2342; 21st, CO2 and H2O stay as they are written everywhere.
    """
    if script == "^":
        return "^" if before and after.isdigit() and before not in "([{/" else ""
    if script == "_":
        return "_" if (before.isdigit() or before in ".,") and after.isdigit() else ""
    if not before.isdigit():
        return ""
    return " " if after.isdigit() or (script.endswith("^") and after.isalpha()) else ""
