"""Summarize many vectors by their mean and spread, batch by batch; summaries are added in any order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..domain.spaces import Vectors

# Decimal places of a mean's components that are kept: those of a unit vector have about 0.05, and float32 no more.
_DECIMALS = 8


@dataclass(frozen=True, eq=False)
class VectorSummary:
    """Of `count` vectors: the `mean`, float64 (dimension,), and `squares`, the sum of their squared distances to it."""

    count: int
    mean: NDArray[np.float64]
    squares: float

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """Summarize no vectors."""
        return cls(0, np.zeros(dimension), 0.0)

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """Summarize finite vectors (n, dimension)."""
        if not len(vectors):
            return cls.empty(vectors.shape[1])
        wide = vectors.astype(np.float64)
        mean = wide.mean(axis=0)
        return cls(len(wide), mean, float(((wide - mean) ** 2).sum()))

    @property
    def mean_length(self) -> float:
        """The length of the mean; of unit vectors near 1 where they point the same way, near 0 where anywhere."""
        return float(np.linalg.norm(self.mean))

    @property
    def spread(self) -> float:
        """The mean squared distance to the mean: the trace of the covariance, 0 to 1 for vectors of length 1."""
        return self.squares / self.count if self.count else 0.0

    def __add__(self, other: Self) -> Self:
        """Summarize both together, by the pairwise update of Chan, Golub and LeVeque 1979 (STAN-CS-79-773, eq. 2.1)."""
        count = self.count + other.count
        if not count:
            return self
        step = other.mean - self.mean
        mean = self.mean + step * (other.count / count)
        between = float(step @ step) * self.count * other.count / count
        return type(self)(count, mean, self.squares + other.squares + between)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: `count`, `mean` (a list of floats) and `spread`."""
        mean = [round(float(component), _DECIMALS) for component in self.mean]
        return {"count": self.count, "mean": mean, "spread": self.spread}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` returned; the mean is right to 8 decimal places, and further entries are ignored.

        Raises:
            ValueError: the values are those of no summary.
        """
        try:
            count, spread = int(values["count"]), float(values["spread"])
            mean = np.asarray(values["mean"], np.float64)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no summary of vectors ({type(error).__name__}: {error})") from error
        if mean.ndim != 1 or not np.isfinite([*mean, spread]).all() or count < 0 or spread < 0:
            raise ValueError(f"this is no summary of vectors (count {count}, spread {spread}, mean {mean.shape})")
        return cls(count, mean, spread * count)
