"""The ends of lines: which line opens what follows, and which goes on with the row before it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from .strength import Strength

_LINE = re.compile(r"[^\n\f]+")
# A line of figures continues the table row before it. Extracted tables often have each cell in a line of its own.
_CELL = re.compile(r"(?:[\d０-９.,，．:()（）$￥¥€£%％‰+*/ \t\xa0\u3000-]|[–—−]|N/A|HK|US|RMB|不适用|不適用)+")
_CHINESE_NUMBER = "[一二三四五六七八九十百零〇]{1,5}"
_BULLET = re.compile(r"\W{1,3}")
_COUNTER = re.compile(rf"[(（]?(?:\d{{1,3}}|[a-zA-Z]|[ivxIVX]{{1,5}}|{_CHINESE_NUMBER})[)）.、．]")
_NUMBERED_HEADING = re.compile(
    rf"\s*(?:#{{1,6}}\s|第{_CHINESE_NUMBER}[章节節部条條]|{_CHINESE_NUMBER}[、．.]|[(（]{_CHINESE_NUMBER}[)）]"
    r"|\d{1,2}(?:\.\d{1,2}){1,3}\s+[^\W\d_]|\d{1,2}、"
    r"|(?:item|note|part|section|chapter|article)\s+(?:\d{1,2}[A-Za-z]?|[IVX]{1,4})\b)",
    re.IGNORECASE,
)
_SENTENCE_ENDS = "。！？；.!?;,，、"
# Longer lines are sentences, or rows of a table.
_LONGEST_HEADING = 100
# A heading is followed by prose: a line of at least these characters, counting a Chinese one as two.
_SHORTEST_PROSE = 60


class _Line(NamedTuple):
    start: int
    end: int
    text: str


def line_ends(text: str) -> Iterator[tuple[int, Strength]]:
    """Yield the offset after each line that is not blank but the last, and how well a chunk may end there."""
    lines = [_Line(*match.span(), match[0].strip()) for match in _LINE.finditer(text) if not match[0].isspace()]
    for line, following in pairwise(lines):
        gap = text[line.end : following.start]
        yield line.end, _strength(line.text, following.text, gap.count("\n") > 1 or "\f" in gap)


def _strength(line: str, following: str, gap: bool) -> Strength:
    if _opens(line, following) or _goes_on(line, following):
        return Strength.PART
    if gap or is_numbered_heading(following):
        return Strength.PARAGRAPH
    return Strength.PART if _is_cell(following) else Strength.LINE


def _opens(line: str, following: str) -> bool:
    """Return whether the line is nothing without the next one: a heading, a bullet, or the opening of a list."""
    if line.endswith((":", "：")) or _BULLET.fullmatch(line) or _COUNTER.fullmatch(line) or is_numbered_heading(line):
        return True
    begins = line[0].isupper() or _is_chinese(line[0])
    return begins and len(line) <= _LONGEST_HEADING and line[-1].isalpha() and _is_prose(following)


def _goes_on(line: str, following: str) -> bool:
    """Return whether the next line begins in the middle of a sentence, and not with a name such as iPhone."""
    return following[:2].islower() and line[-1] not in ".!?"


def is_numbered_heading(line: str) -> bool:
    """Return whether the line is a heading with a number, as in `Item 2.`, `第三节` or `（一）`, or one of Markdown."""
    return len(line) <= _LONGEST_HEADING and line[-1] not in _SENTENCE_ENDS and bool(_NUMBERED_HEADING.match(line))


def _is_cell(line: str) -> bool:
    return bool(_CELL.fullmatch(line)) and not _COUNTER.fullmatch(line)


def _is_prose(line: str) -> bool:
    width = len(line) + sum(_is_chinese(character) for character in line[:_SHORTEST_PROSE])
    return width >= _SHORTEST_PROSE and not _is_cell(line)


def _is_chinese(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"
