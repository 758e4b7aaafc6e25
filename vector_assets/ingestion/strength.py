"""How well a chunk may end at a place in its text."""

from enum import IntEnum


class Strength(IntEnum):
    """How well a chunk may end at a place; more is better. A place between two words has no strength."""

    PART = 1
    """Inside a sentence, a quotation or a table row, or between a heading and its text."""
    SENTENCE = 2
    LINE = 3
    """The end of a paragraph, a table row or a list item."""
    PARAGRAPH = 4
    """Before an empty line, a page break or a heading."""
