"""BM25 in memory: the lexical ranking beside which a model is measured."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

# The parameters of most search engines: how fast repeats of a term stop counting, how much long texts are held back.
_K1, _B = 1.2, 0.75
_TERM = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_\u3400-\u9fff]+|[\u3400-\u9fff]+")
_STOP_WORDS = re.compile(
    "a|an|and|are|as|at|be|been|but|by|did|do|does|for|from|had|has|have|how|if|in|into|is|it|its|of|on|or|s|such|than|"
    "that|the|their|then|there|these|they|this|to|was|were|what|when|where|which|who|will|with|would"
)


def terms(text: str) -> Iterator[str]:
    """Yield English words without plural endings, whole numbers, and pairs of neighbouring Chinese characters."""
    for word in _TERM.findall(text.lower()):
        if "\u3400" <= word[0] <= "\u9fff":
            yield from (word[at : at + 2] for at in range(max(len(word) - 1, 1)))
        elif not _STOP_WORDS.fullmatch(word):
            yield _without_plural(word)


def _without_plural(word: str) -> str:
    """Remove the endings that Harman's S stemmer removes (Harman 1991, How effective is suffixing?)."""
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    return word[:-1] if word.endswith("s") and not word.endswith(("us", "ss")) else word


class Bm25:
    """Scores texts for a question."""

    def __init__(self, texts: Sequence[str]) -> None:
        counted = [Counter(terms(text)) for text in texts]
        lengths = np.array([counts.total() for counts in counted])
        self._damping = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1))
        self._postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for index, counts in enumerate(counted):
            for term, count in counts.items():
                self._postings[term].append((index, count))

    def scores(self, question: str) -> NDArray[np.float64]:
        """Return the score of each text, in order."""
        scores = np.zeros(len(self._damping))
        for term in set(terms(question)):
            if term in self._postings:
                found, counts = np.array(self._postings[term]).T
                rarity = math.log(1 + (len(scores) - len(found) + 0.5) / (len(found) + 0.5))
                scores[found] += rarity * counts * (_K1 + 1) / (counts + self._damping[found])
        return scores
