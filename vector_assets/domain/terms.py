"""The terms of a text, by which chunks are found beside their vectors. Documents and questions have the same terms."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import Stemmer

# Han characters: the unified ideographs, their first extension, the compatibility ones, and all extensions above.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_LETTER = rf"[^\W_{_HAN}]"
# A run of Han characters; or letters and digits, also with single marks between them: 1,234.5, 10-K, 0700.HK, AT&T.
_TOKEN = re.compile(rf"[{_HAN}]+|{_LETTER}+(?:[.,'’&/-]{_LETTER}+)*")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_PART = re.compile(rf"{_LETTER}+")

# Words that are in most English chunks and say nothing of what a chunk is about.
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about after all also an and any are as at be because been before being both but by can could "
        "did do does during each for from had has have having he her his how i if in into is it its may "
        "me might more most must my no nor not of on only or other our out over own she should so some "
        "such than that the their them then there these they this those through to too under until up "
        "upon us very was we were what when where which while who whom whose why will with would you your "
        "s t ",
    )
)

# A chunk has some hundred terms, and most words come back: a word is stemmed once. About 30 MB.
_MOST_CACHED = 200_000


@dataclass(frozen=True)
class TermCounts:
    """The terms of a text: their ids in ascending order, how often each occurs, and how many there are in all."""

    term_ids: list[int]
    frequencies: list[int]
    length: int


@dataclass(frozen=True)
class QuestionTerms:
    """The terms of a question, the rarest first, with what the stored chunks say of each.

    `chunks` is how many chunks have the term, `rarities` is its weight in BM25, `average_length` that of all chunks.
    """

    term_ids: list[int]
    chunks: list[int]
    rarities: list[float]
    average_length: float


class QueuedText(NamedTuple):
    """A chunk whose terms are not those of its present text."""

    chunk_id: UUID
    text: str
    content_hash: bytes


def term_counts(text: str) -> TermCounts:
    """Count the terms of a text."""
    counted = Counter(map(term_id, terms(text)))
    ids = sorted(counted)
    # A frequency is stored in 16 bits; BM25 grows no more long before that.
    return TermCounts(ids, [min(counted[each], 32_767) for each in ids], counted.total())


def terms(text: str) -> Iterator[str]:
    """Yield the terms of a text, in order.

    English words are lower-cased, stemmed (Porter2), and left out where they say nothing. Chinese text gives pairs of
    neighboring characters, which find as much as a dictionary's words and need none. Numbers are kept whole, without
    the commas between thousands. Codes such as 10-K or 0700.HK are kept whole, and their parts beside them.
    """
    for token in _TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if re.match(f"[{_HAN}]", token):
            yield from (token[at : at + 2] for at in range(max(len(token) - 1, 1)))
        elif _NUMBER.fullmatch(token):
            yield token.replace(",", "")
        else:
            yield from _of_word(token)


def _of_word(token: str) -> Iterator[str]:
    word = token.removesuffix("'s").removesuffix("’s")
    parts = _PART.findall(word)
    if len(parts) == 1:
        if word not in _STOP_WORDS:
            yield _stem(word)
        return
    yield word
    yield from (_stem(part) for part in parts if part not in _STOP_WORDS and len(part) > 1)


@lru_cache(_MOST_CACHED)
def _stem(word: str) -> str:
    """A stemmer may not be shared by threads, and is made in a microsecond."""
    stem: str = Stemmer.Stemmer("english", 0).stemWord(word) if word.isascii() and word.isalpha() else word
    return stem


@lru_cache(_MOST_CACHED)
def term_id(term: str) -> int:
    """Give the number under which a term is stored: 32 bits of its hash, with a sign.

    Of a million different terms, some hundred share their number with another one: too few to change an answer.
    """
    return int.from_bytes(blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big", signed=True)
