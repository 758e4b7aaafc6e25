"""Two rankings become one."""

import numpy as np
import pytest

from vector_assets.search.fusion import fused_scores


def test_a_candidate_that_is_good_in_both_rankings_wins() -> None:
    """Neither the best by vectors nor the best by terms."""
    dense = np.array([0.90, 0.88, 0.80, 0.70])
    lexical = np.array([0.0, 20.0, 22.0, 0.0])

    assert int(np.argmax(fused_scores(dense, lexical))) == 1


@pytest.mark.parametrize(("weight", "best"), [(1.0, 0), (0.0, 2)])
def test_a_weight_of_all_leaves_one_ranking(weight: float, best: int) -> None:
    """The other one does not count."""
    scores = fused_scores(np.array([0.9, 0.8, 0.7]), np.array([1.0, 2.0, 3.0]), weight)

    assert int(np.argmax(scores)) == best


def test_equal_scores_decide_nothing() -> None:
    """Where no candidate has a term, the order is that of the vectors."""
    dense = np.array([0.7, 0.9, 0.8])

    assert list(np.argsort(-fused_scores(dense, np.zeros(3)))) == [1, 2, 0]
