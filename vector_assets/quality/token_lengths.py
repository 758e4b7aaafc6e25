"""How long texts are, in tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

# The greatest length in each bin but the last. Models read at most 128, 256, 512 or 8,192 tokens, and a bin ends there;
# up to 512, where chunks are, the bins are narrow.
_ENDS = (8, 16, 32, 64, 96, 128, 160, 192, 224, 256, 320, 384, 448, 512, 1024, 2048, 4096, 8192)

BINS = (
    *(f"{low + 1}-{high}" for low, high in zip((0, *_ENDS[:-1]), _ENDS, strict=True)),
    f"over {_ENDS[-1]}",
)
"""The bins' names, by length: `1-8`, `9-16`, ..., `over 8192`. A text without tokens is in the first."""


@dataclass(frozen=True)
class TokenLengths:
    """How many texts have a length in each of the `BINS`."""

    counts: tuple[int, ...] = (0,) * len(BINS)

    @classmethod
    def of(cls, token_counts: Sequence[int]) -> Self:
        """Of texts with so many tokens."""
        bins = np.searchsorted(_ENDS, np.asarray(token_counts, np.int64), side="left")
        return cls(tuple(np.bincount(bins, minlength=len(BINS)).tolist()))

    def __add__(self, other: Self) -> Self:
        return type(self)(tuple(mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)))

    def to_dict(self) -> dict[str, int]:
        """Bin -> texts, by length, empty bins left out."""
        return {name: count for name, count in zip(BINS, self.counts, strict=True) if count}

    @classmethod
    def from_dict(cls, values: Mapping[str, int]) -> Self:
        """Read what `to_dict` gave.

        Raises:
            ValueError: a name is not one of `BINS`.
        """
        if unknown := sorted(values.keys() - set(BINS)):
            raise ValueError(f"{', '.join(unknown)}: no bins of token lengths")
        return cls(tuple(int(values.get(name, 0)) for name in BINS))
