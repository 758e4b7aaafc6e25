"""Vectors that moved further than chance explains have shifted, others have not."""

import numpy as np
import pytest

from vector_assets.domain.spaces import Vectors
from vector_assets.quality.vector_shift import vector_shift
from vector_assets.quality.vector_summary import VectorSummary

from .vector_rows import issuer, rotated, unit_rows


def test_the_same_vectors_have_not_shifted() -> None:
    """Neither against themselves nor as they are kept."""
    summary = VectorSummary.of(issuer(0))

    moved = vector_shift(VectorSummary.from_dict(summary.to_dict()), summary)

    assert moved is not None
    assert moved.cosine == pytest.approx(1, abs=1e-9)
    assert moved.distance == pytest.approx(0, abs=1e-6)
    assert moved.by_chance == pytest.approx(0.1)
    assert not moved.shifted


def test_two_samples_of_the_same_are_apart_by_chance() -> None:
    """On average just as far as it is said, also where they are small or of unequal size."""
    vectors = issuer(0, 4000)
    for count, other in ((4, 4), (40, 200)):
        distances = []
        for start in range(0, 3600, 240):
            first, second = vectors[start : start + count], vectors[start + count : start + count + other]
            moved = vector_shift(VectorSummary.of(first), VectorSummary.of(second))
            assert moved is not None
            assert moved.distance is not None
            assert not moved.shifted
            distances.append(moved.distance / moved.by_chance)
        assert np.mean(distances) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("now", [issuer(1), rotated(issuer(0)), issuer(0) * np.float32(2.0)])
def test_other_texts_weights_and_lengths_are_shifts(now: Vectors) -> None:
    """Many times what chance does."""
    moved = vector_shift(VectorSummary.of(issuer(0)), VectorSummary.of(now))

    assert moved is not None
    assert moved.shifted


def test_where_there_is_no_spread_there_is_no_distance() -> None:
    """One vector each, equal vectors, or none at all."""
    one, same, none = unit_rows(1), np.tile(unit_rows(1), (5, 1)), VectorSummary.empty(384)

    for before, now in ((one, unit_rows(1, seed=1)), (same, same), (same, same[:3])):
        moved = vector_shift(VectorSummary.of(before), VectorSummary.of(now))
        assert moved is not None
        assert moved.distance is None
        assert not moved.shifted
    assert vector_shift(none, VectorSummary.of(same)) is None
    assert vector_shift(VectorSummary.of(same), none) is None


def test_summaries_of_two_spaces_do_not_compare() -> None:
    """Their dimensions tell, where they differ."""
    with pytest.raises(ValueError, match="two spaces"):
        vector_shift(VectorSummary.of(unit_rows(3)), VectorSummary.of(unit_rows(3, dimension=16)))
