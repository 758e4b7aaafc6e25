"""Summaries of batches add up to the summary of all vectors, and are stored as JSON."""

import json
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.quality.vector_summary import VectorSummary

from .vector_rows import issuer, unit_rows

CUTS = st.lists(st.integers(0, 60), max_size=8).map(sorted)


@given(seed=st.integers(0, 2**32 - 1), cuts=CUTS, order=st.randoms(use_true_random=False))
def test_summaries_add_up_in_any_order(seed: int, cuts: list[int], order: Random) -> None:
    """To those of all vectors at once."""
    vectors = unit_rows(60, seed, dimension=16)
    parts = np.split(vectors, cuts)
    order.shuffle(parts)

    added = VectorSummary.empty(16)
    for part in parts:
        added += VectorSummary.of(part)

    wide = vectors.astype(np.float64)
    assert added.count == 60
    assert np.allclose(added.mean, wide.mean(axis=0), atol=1e-12)
    assert added.spread == pytest.approx(((wide - wide.mean(axis=0)) ** 2).sum(axis=1).mean(), rel=1e-12)


def test_vectors_far_from_zero_keep_their_spread() -> None:
    """Where a difference of sums of squares would have lost it."""
    vectors = (1000 + 0.01 * unit_rows(400, dimension=16)).astype(np.float32)

    added = VectorSummary.of(vectors[:1]) + VectorSummary.of(vectors[1:]) + VectorSummary.empty(16)

    assert added.spread == pytest.approx(VectorSummary.of(vectors).spread, rel=1e-9)
    assert added.spread == pytest.approx(1e-4, rel=0.05)


def test_vectors_of_one_length_have_a_spread_up_to_one() -> None:
    """Whatever is not in the mean: the squares of the two add up to the squared length."""
    summary = VectorSummary.of(issuer(0))

    assert summary.spread + summary.mean_length**2 == pytest.approx(1, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_a_summary_survives_json(seed: int, count: int) -> None:
    """To 8 places the first time, and unchanged from then on."""
    summary = VectorSummary.of(unit_rows(count, seed, dimension=16))

    values = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    back = VectorSummary.from_dict(values)

    assert back.count == count
    assert np.abs(back.mean - summary.mean).max() <= 0.5000001e-8
    assert back.squares == pytest.approx(summary.squares, rel=1e-12)
    assert back.to_dict()["mean"] == values["mean"]


def test_a_summary_of_an_older_version_can_be_read() -> None:
    """It had the token lengths too, which nobody reads any more."""
    values = {"count": 2, "mean": [0.5, 0.5], "spread": 0.5, "token_lengths": {"1-8": 2}}

    assert VectorSummary.from_dict(values).to_dict() == {"count": 2, "mean": [0.5, 0.5], "spread": 0.5}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"count": 1, "mean": [0.1]},
        {"count": "many", "mean": [0.1], "spread": 0.5},
        {"count": 1, "mean": None, "spread": 0.5},
        {"count": 1, "mean": 0.1, "spread": 0.5},
        {"count": 1, "mean": [float("nan")], "spread": 0.5},
        {"count": 1, "mean": [0.1], "spread": -0.5},
        {"count": -1, "mean": [0.1], "spread": 0.5},
        {"count": 1, "mean": ["a"], "spread": 0.5},
    ],
)
def test_what_is_no_summary_is_refused(values: dict[str, object]) -> None:
    """It may have been written by another version, or by hand."""
    with pytest.raises(ValueError):  # noqa: PT011
        VectorSummary.from_dict(values)
