"""Count how long texts are, in tokens."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Self


@dataclass(frozen=True)
class TokenLengths:
    """How many texts have how many tokens: `counts` maps a length to its number of texts."""

    counts: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, token_counts: Iterable[int]) -> Self:
        """Count texts that have so many tokens each."""
        return cls(Counter(token_counts))

    @property
    def longest(self) -> int:
        """The number of tokens of the longest text; 0 where there are no texts."""
        return max(self.counts, default=0)

    def percentile(self, percent: int) -> int:
        """Return the smallest length that at least so many percent of the texts do not exceed; 0 without texts."""
        lengths = sorted(self.counts)
        texts = list(accumulate(self.counts[length] for length in lengths))
        ranks = zip(lengths, texts, strict=True)
        return next((length for length, rank in ranks if 100 * rank >= percent * texts[-1]), 0)
