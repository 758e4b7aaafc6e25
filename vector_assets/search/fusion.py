"""Fuse two rankings of the same candidates into one."""

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

DENSE_WEIGHT = 0.7
"""How much the vectors count beside the terms (0.3); see docs/decisions/0018-hybrid-search.md."""


def fused_scores(dense: Scores, lexical: Scores, dense_weight: float = DENSE_WEIGHT) -> Scores:
    """Add up the standard scores of both rankings, weighted.

    Args:
        dense: cosine similarity of each candidate.
        lexical: BM25 of each candidate, in the same order; 0 where no term occurs.
        dense_weight: the share of the dense scores, 0 to 1.
    """
    return dense_weight * _standardized(dense) + (1 - dense_weight) * _standardized(lexical)


def _standardized(scores: Scores) -> Scores:
    """Scale to a mean of 0 and a standard deviation of 1; all 0 where the scores are equal."""
    spread = scores.std()
    if spread == 0:
        return np.zeros_like(scores)
    standardized: Scores = (scores - scores.mean()) / spread
    return standardized
