"""Keep a bounded random sample of rows that is the same whatever the order in which they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..domain.spaces import Vectors


@dataclass(frozen=True, eq=False)
class Sample:
    """At most `size` of the rows seen, each as likely as any other: `ids`, int64 (n,), and `vectors` (n, dimension).

    A bottom-k sample: every id has a fixed pseudo-random rank, and the lowest ranks stay (Cohen and Kaplan 2007,
    "Summarizing data using bottom-k sketches"). A reservoir would depend on the order of the batches, which threads
    decide. Each id may come once only.
    """

    size: int
    ids: NDArray[np.int64]
    vectors: Vectors

    @classmethod
    def empty(cls, size: int, dimension: int) -> Self:
        """Make a sample that has seen no rows."""
        return cls(size, np.empty(0, np.int64), np.empty((0, dimension), np.float32))

    def with_rows(self, ids: Sequence[int] | NDArray[np.int64], vectors: Vectors) -> Self:
        """Return the sample that has also seen these rows, a vector for each id."""
        new = np.asarray(ids, np.int64)
        if len(self.ids) == self.size and self.size:  # of a batch few rows get into a full sample
            chosen = _ranks(new) < _ranks(self.ids[-1:])
            new, vectors = new[chosen], vectors[chosen]
        if not len(new):
            return self
        all_ids = np.concatenate([self.ids, new])
        lowest = np.argsort(_ranks(all_ids), kind="stable")[: self.size]
        return type(self)(self.size, all_ids[lowest], np.concatenate([self.vectors, vectors])[lowest])


def _ranks(ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Give every id its place in a fixed shuffle of all 64-bit numbers, by the finalizer of SplitMix64.

    Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators", with the constants of its Java code.
    """
    ranks = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    ranks = (ranks ^ (ranks >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    ranks = (ranks ^ (ranks >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = ranks ^ (ranks >> np.uint64(31))
    return mixed
