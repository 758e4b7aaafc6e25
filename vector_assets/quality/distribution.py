"""What a partition's vectors look like as a whole, and how far that has moved since they were last made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .moments import Moments
from .sample import Sample
from .token_lengths import TokenLengths

# Rows kept to be drawn. As float32 of 384 components that is 1.5 MB, and their principal components take 0.2 s.
SAMPLE_ROWS = 1000

# Decimal places of a mean's components that are kept: those of a unit vector have about 0.05, and float32 no more.
_PLACES = 8


@dataclass(frozen=True)
class Summary:
    """What is kept of a partition's vectors in one space: where they lie, and how long their texts are."""

    moments: Moments
    lengths: TokenLengths

    def __add__(self, other: Self) -> Self:
        """Of the vectors of both."""
        return type(self)(self.moments + other.moments, self.lengths + other.lengths)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: `count`, `mean` (a list of floats), `spread`, `token_lengths` (bin -> texts)."""
        return {
            "count": self.moments.count,
            "mean": [round(float(component), _PLACES) for component in self.moments.mean],
            "spread": self.moments.spread,
            "token_lengths": self.lengths.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave; the mean is exact to 8 decimal places.

        Raises:
            ValueError: it is something else.
        """
        try:
            count, spread = int(values["count"]), float(values["spread"])
            mean = np.asarray(values["mean"], np.float64)
            lengths = TokenLengths.from_dict(values["token_lengths"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"this is no summary of vectors ({type(error).__name__}: {error})") from error
        if mean.ndim != 1 or not np.isfinite([*mean, spread]).all() or count < 0 or spread < 0:
            raise ValueError(f"this is no summary of vectors (count {count}, spread {spread}, mean {mean.shape})")
        return cls(Moments(count, mean, spread * count), lengths)


class Distribution:
    """Collects a summary and a sample as a run goes, batch by batch; the memory does not grow with the partition."""

    def __init__(self, dimension: int) -> None:
        self._counted = Summary(Moments.none(dimension), TokenLengths())
        self._sample = Sample.none(SAMPLE_ROWS, dimension)
        self._ids: list[int] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._token_counts: list[int] = []

    def add(self, ids: Iterable[int], vectors: Iterable[NDArray[np.float32]], token_counts: Iterable[int]) -> None:
        """Add a batch of good vectors with their chunks' ids and numbers of tokens; an id comes once.

        The vectors are kept as they are, and must stay so: many rows are counted at once, which is far less work.
        """
        self._ids.extend(ids)
        self._vectors.extend(vectors)
        self._token_counts.extend(token_counts)
        if len(self._ids) >= SAMPLE_ROWS:
            self._count()

    @property
    def summary(self) -> Summary:
        """Of all rows so far."""
        self._count()
        return self._counted

    @property
    def sample(self) -> Sample:
        """At most 1,000 of the rows so far."""
        self._count()
        return self._sample

    def _count(self) -> None:
        if not self._ids:
            return
        vectors = np.stack(self._vectors)
        self._counted += Summary(Moments.of(vectors), TokenLengths.of(self._token_counts))
        self._sample = self._sample.with_rows(self._ids, vectors)
        for waiting in (self._ids, self._vectors, self._token_counts):
            waiting.clear()


# Beyond so many times what chance does, the vectors are of other texts or another model. Filings of one company came to
# 1.8 from one year to the next and those of another company to 4.6 or more; quarters that were added to others, to 0.5.
_MOST_BY_CHANCE = 3.0


@dataclass(frozen=True)
class Shift:
    """How far a partition's vectors have moved.

    `cosine` is that of the two means. `distance` is theirs in standard deviations (None: too few vectors, or all
    equal), and `by_chance` what it comes to between two random samples of these sizes of the same vectors.
    """

    cosine: float
    distance: float | None
    by_chance: float

    @property
    def shifted(self) -> bool:
        """Whether this is more than other chunks of the same kind bring about."""
        return self.distance is not None and self.distance > _MOST_BY_CHANCE * self.by_chance


def shift(before: Summary, now: Summary) -> Shift | None:
    """Compare two summaries; None where one is of no vectors.

    The distance is Cohen's d with the pooled standard deviation (Cohen 1988, "Statistical power analysis for the
    behavioral sciences", section 2.5) and vectors for numbers: |m1 - m2| / s, where s² is the sum of all squared
    distances from their own mean over n1 + n2 - 2. By chance it is about sqrt(1/n1 + 1/n2), for the square of how far
    a mean of n vectors is off comes to s²/n.

    Raises:
        ValueError: the dimensions differ, so these are of two spaces.
    """
    old, new = before.moments, now.moments
    if old.mean.shape != new.mean.shape:
        raise ValueError(f"means of {len(old.mean)} and {len(new.mean)} components are of two spaces")
    if not old.count or not new.count:
        return None
    lengths = max(float(np.linalg.norm(old.mean) * np.linalg.norm(new.mean)), np.finfo(np.float64).tiny)
    return Shift(
        cosine=float(np.clip(old.mean @ new.mean / lengths, -1.0, 1.0)),
        distance=_distance(old, new),
        by_chance=float(np.sqrt(1 / old.count + 1 / new.count)),
    )


def _distance(old: Moments, new: Moments) -> float | None:
    freedom = old.count + new.count - 2
    # Spread that float32 cannot hold is rounding.
    rounding = np.finfo(np.float32).eps ** 2 * float(old.mean @ old.mean)
    if not freedom or (variance := (old.squares + new.squares) / freedom) <= rounding:
        return None
    return float(np.linalg.norm(new.mean - old.mean) / np.sqrt(variance))
