"""Where vectors lie and how far they spread, counted batch by batch and added in any order."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..domain.spaces import Vectors


@dataclass(frozen=True, eq=False)
class Moments:
    """Of `count` vectors: the `mean`, float64 (dimension,), and the sum of their squared distances from it."""

    count: int
    mean: NDArray[np.float64]
    squares: float

    @classmethod
    def none(cls, dimension: int) -> Self:
        """Of no vectors yet."""
        return cls(0, np.zeros(dimension), 0.0)

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """Of finite vectors (n, dimension)."""
        if not len(vectors):
            return cls.none(vectors.shape[1])
        wide = vectors.astype(np.float64)
        mean = wide.mean(axis=0)
        return cls(len(wide), mean, float(((wide - mean) ** 2).sum()))

    @property
    def spread(self) -> float:
        """The mean squared distance from the mean: the trace of the covariance, 0 to 1 for vectors of length 1."""
        return self.squares / self.count if self.count else 0.0

    def __add__(self, other: Self) -> Self:
        """Of both together, by the pairwise update of Chan, Golub and LeVeque 1979 (STAN-CS-79-773, eq. 2.1)."""
        count = self.count + other.count
        if not count:
            return self
        step = other.mean - self.mean
        mean = self.mean + step * (other.count / count)
        between = float(step @ step) * self.count * other.count / count
        return type(self)(count, mean, self.squares + other.squares + between)
