"""Lines that a page has wrapped are joined, so that sentences can be found in them."""

import re
from collections.abc import Iterator
from statistics import quantiles

_LINES = re.compile(r"[^\n\f]*[\n\f]|[^\n\f]+")
# On a page with wrapped lines, nine in ten lines are no longer than this (about 45 characters on Chinese pages, and at
# most about 160 on English ones). Text with longer lines has one paragraph in each line.
_MAX_LINE_WIDTH = 240
# A line that fills this share of the line width was broken by the page, not by the writer.
_FULL_LINE_SHARE = 0.75
_SENTENCE_CONTINUES = ",，、&/-–—"


def unwrap(text: str) -> str:
    """Return a copy of the text, equally long, with a space for each line break or page break inside a sentence.

    Other page breaks stay. The rows of tables stay apart, because they end in figures or are short.
    """
    lines = _LINES.findall(text)
    lengths = [len(line.rstrip()) for line in lines if line.strip()]
    if len(lengths) < 2:
        return text
    line_width = quantiles(lengths, n=10)[-1]
    if line_width > _MAX_LINE_WIDTH:
        return text
    return "".join(_unwrapped(lines, _FULL_LINE_SHARE * line_width))


def _unwrapped(lines: list[str], full_length: float) -> Iterator[str]:
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        content = line.rstrip()
        ends_in_sentence = content[-1:].isalpha() or content[-1:] in _SENTENCE_CONTINUES
        if content and len(content) >= full_length and ends_in_sentence and following.strip():
            yield content + " " * (len(line) - len(content))
        else:
            yield line
