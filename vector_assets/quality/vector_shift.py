"""Measure how far a partition's vectors have moved since they were last made."""

from dataclasses import dataclass

import numpy as np

from .vector_summary import VectorSummary

# Beyond so many times what chance does, the vectors are of other texts or another model. Filings of one company came to
# 1.8 from one year to the next and those of another company to 4.6 or more; quarters that were added to others, to 0.5.
_MAX_TIMES_CHANCE = 3.0


@dataclass(frozen=True)
class VectorShift:
    """How far a partition's vectors have moved.

    `cosine` is that of the two means. `distance` is theirs in standard deviations (None: too few vectors, or all
    equal), and `by_chance` is the distance to expect between two random samples of these sizes of the same vectors.
    """

    cosine: float
    distance: float | None
    by_chance: float

    @property
    def shifted(self) -> bool:
        """Whether the vectors moved further than other chunks of the same kind explain."""
        return self.distance is not None and self.distance > _MAX_TIMES_CHANCE * self.by_chance


def vector_shift(before: VectorSummary, after: VectorSummary) -> VectorShift | None:
    """Compare two summaries; None where one of them is of no vectors.

    The distance is Cohen's d with the pooled standard deviation (Cohen 1988, "Statistical power analysis for the
    behavioral sciences", section 2.5) and vectors for numbers: |m1 - m2| / s, where s² is the sum of all squared
    distances from their own mean over n1 + n2 - 2. By chance it is about sqrt(1/n1 + 1/n2), for the square of how far
    a mean of n vectors is off comes to s²/n.

    Raises:
        ValueError: the dimensions differ, so these are summaries of two spaces.
    """
    if before.mean.shape != after.mean.shape:
        raise ValueError(f"means of {len(before.mean)} and {len(after.mean)} components are of two spaces")
    if not before.count or not after.count:
        return None
    lengths = max(before.mean_length * after.mean_length, np.finfo(np.float64).tiny)
    return VectorShift(
        cosine=float(np.clip(before.mean @ after.mean / lengths, -1.0, 1.0)),
        distance=_distance(before, after),
        by_chance=float(np.sqrt(1 / before.count + 1 / after.count)),
    )


def _distance(before: VectorSummary, after: VectorSummary) -> float | None:
    freedom = before.count + after.count - 2
    # Spread that float32 cannot hold is rounding.
    rounding = np.finfo(np.float32).eps ** 2 * before.mean_length**2
    if not freedom or (variance := (before.squares + after.squares) / freedom) <= rounding:
        return None
    return float(np.linalg.norm(after.mean - before.mean) / np.sqrt(variance))
