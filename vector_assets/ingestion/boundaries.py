"""The places where a chunk may end, found by the marks of English and Chinese."""

import re
from bisect import bisect_right
from collections.abc import Iterator

from .line_ends import line_ends
from .spans import FIGURES, QUOTATIONS, Spans
from .strength import Strength

_CHINESE_SENTENCE_END = re.compile(r"[。！？]+[」』”’）】》)\"]*")
# A space and a capital letter, a digit or a Chinese character follow the full stop of an English sentence.
_ENGLISH_SENTENCE_END = re.compile(r"[.!?]+[)\]”’\"']*(?=[ \t\xa0\u3000]+[\"“‘(\[「『]?[^\W_a-z])")
_ABBREVIATIONS = "Inc|Corp|Co|Ltd|Nos?|vs|Mr|Mrs|Ms|Dr|Jr|Sr|St|Art|Sec|Fig|approx|[a-z]"
_MONTHS = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
# A full stop ends no sentence after these, nor after the number of a heading or of a list item.
_NO_SENTENCE = re.compile(
    rf"(?:\b(?:{_ABBREVIATIONS}|{_MONTHS})"
    r"|(?:^|[\n\f]|\b(?:item|note|part|section|article)[ \xa0])\s*[\divx]{1,4}[a-z]?)\Z",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 16
_CLAUSE_END = re.compile(r"[,;:](?=\s)|[，；：、]")
_NEVER_FIRST = "，。、；：！？）」』”’】》,.;:!?)]%％"
_NEVER_LAST = "（「『“‘【《(["


class Boundaries:
    """The boundaries of a text whose wrapped lines are joined (`unwrap`)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._figures = Spans(text, FIGURES)
        found = _strengths(text)
        self._offsets = sorted(offset for offset in found if not self._figures.hold(offset))
        self._strengths = [found[offset] for offset in self._offsets]

    def best_end(self, start: int, limit: int) -> int:
        """Return where a chunk that begins at `start` and reaches to `limit` at most ends best.

        That is the last of the strongest boundaries in its second half. A sentence that is longer than this half goes
        to the next chunk as a whole, if at least an eighth of the chunk remains.
        """
        middle, eighth = start + (limit - start) // 2, start + (limit - start) // 8
        strength, end = self._strongest(middle, limit)
        if strength < Strength.SENTENCE:
            whole_sentences, earlier = self._strongest(eighth, middle)
            if whole_sentences >= Strength.SENTENCE:
                return earlier
        return end if strength else self._last_word_end(start, limit)

    def _strongest(self, after: int, limit: int) -> tuple[int, int]:
        """Return the last of the strongest boundaries in a part of the text; strength 0: it has none."""
        first, last = bisect_right(self._offsets, after), bisect_right(self._offsets, limit)
        return max(zip(self._strengths[first:last], self._offsets[first:last], strict=True), default=(0, limit))

    def _last_word_end(self, start: int, limit: int) -> int:
        """Return the last place between two words. Without one it is the limit, or the figure there begins."""
        for end in range(limit, start, -1):
            if self._is_between_words(end):
                return end
        figure = self._figures.begin_at(limit)
        return figure if figure > start else limit

    def _is_between_words(self, offset: int) -> bool:
        before, after = self._text[offset - 1], self._text[offset : offset + 1]
        if self._figures.hold(offset) or before in _NEVER_LAST or (after and after in _NEVER_FIRST):
            return False
        return before.isspace() or after.isspace() or _is_wide(before) or _is_wide(after)


def _strengths(text: str) -> dict[int, Strength]:
    """Map the offset of each boundary to its strength. Where a line ends, the strength of the line end counts."""
    quotations = Spans(text, QUOTATIONS)
    found = {match.end(): Strength.PART for match in _CLAUSE_END.finditer(text)}
    for end in _sentence_ends(text):
        found[end] = Strength.PART if quotations.hold(end) else Strength.SENTENCE
    return found | dict(line_ends(text))


def _sentence_ends(text: str) -> Iterator[int]:
    for match in _CHINESE_SENTENCE_END.finditer(text):
        yield match.end()
    for match in _ENGLISH_SENTENCE_END.finditer(text):
        before = text[max(match.start() - _LONGEST_ABBREVIATION, 0) : match.start()]
        if not (match[0].startswith(".") and _NO_SENTENCE.search(before)):
            yield match.end()


def _is_wide(character: str) -> bool:
    """Return whether words are written without spaces around this character."""
    return "\u2e80" <= character <= "\ua4cf" or "\uf900" <= character <= "\ufaff" or "\uff00" <= character <= "\uff60"
