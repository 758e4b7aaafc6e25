"""Sums of parts are those of the whole, in any order, and a change of the whole shows."""

import json
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.quality.distribution import SAMPLE_ROWS, Distribution, Summary, shift
from vector_assets.quality.moments import Moments
from vector_assets.quality.sample import Sample
from vector_assets.quality.token_lengths import BINS, TokenLengths

from .vector_rows import rotated, unit_rows

CUTS = st.lists(st.integers(0, 60), max_size=8).map(sorted)


def summary_of(vectors: np.ndarray, tokens: int = 100) -> Summary:
    return Summary(Moments.of(vectors), TokenLengths.of([tokens] * len(vectors)))


def issuer(seed: int, count: int = 200) -> np.ndarray:
    """Texts of one issuer: rows about a direction of its own."""
    rows = unit_rows(1, seed=1000 + seed) + 1.5 * unit_rows(count, seed)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


@given(seed=st.integers(0, 2**32 - 1), cuts=CUTS, order=st.randoms(use_true_random=False))
def test_moments_add_up_in_any_order(seed: int, cuts: list[int], order: Random) -> None:
    """To those of all vectors at once."""
    vectors = unit_rows(60, seed, dimension=16)
    parts = np.split(vectors, cuts)
    order.shuffle(parts)

    added = Moments.none(16)
    for part in parts:
        added += Moments.of(part)

    wide = vectors.astype(np.float64)
    assert added.count == 60
    assert np.allclose(added.mean, wide.mean(axis=0), atol=1e-12)
    assert added.spread == pytest.approx(((wide - wide.mean(axis=0)) ** 2).sum(axis=1).mean(), rel=1e-12)


def test_moments_far_from_zero_keep_their_spread() -> None:
    """Where a difference of sums of squares would have lost it."""
    vectors = (1000 + 0.01 * unit_rows(400, dimension=16)).astype(np.float32)

    added = Moments.of(vectors[:1]) + Moments.of(vectors[1:]) + Moments.none(16)

    assert added.spread == pytest.approx(Moments.of(vectors).spread, rel=1e-9)
    assert added.spread == pytest.approx(1e-4, rel=0.05)


def test_vectors_of_one_length_have_a_spread_up_to_one() -> None:
    """Whatever is not in the mean: the squares of the two add up to the squared length."""
    moments = Moments.of(issuer(0))

    assert moments.spread + moments.mean @ moments.mean == pytest.approx(1, abs=1e-6)


@given(cuts=CUTS, order=st.randoms(use_true_random=False), size=st.integers(0, 70))
def test_a_sample_is_the_same_in_any_order(cuts: list[int], order: Random, size: int) -> None:
    """Added row by row or batch by batch, or made of two samples; each id keeps its vector."""
    ids = np.arange(1000, 1060)
    vectors = unit_rows(60, dimension=16)
    parts = np.split(np.arange(60), cuts)
    order.shuffle(parts)

    sample, other = Sample.none(size, 16), Sample.none(size, 16)
    for number, part in enumerate(parts):
        if number % 2:
            other = other.with_rows(ids[part], vectors[part])
        else:
            sample = sample.with_rows(ids[part], vectors[part])
    both = sample + other

    expected = Sample.none(size, 16).with_rows(ids, vectors)
    assert len(both.ids) == min(size, 60)
    assert both.ids.tolist() == expected.ids.tolist()
    assert (both.vectors == vectors[both.ids - 1000]).all()


def test_a_sample_is_fair() -> None:
    """Ids that follow one another, as chunks' do, are all as likely."""
    taken = Sample.none(1000, 1).with_rows(range(10_000), np.zeros((10_000, 1), np.float32)).ids

    tenths = np.bincount(taken // 1000, minlength=10)
    assert len(set(taken.tolist())) == 1000
    assert ((tenths - 100) ** 2 / 100).sum() < 27.9  # chi-square with 9 degrees of freedom, p = 0.001
    assert abs(np.mean(taken % 2) - 0.5) < 0.05


def test_token_lengths_are_counted_by_bin() -> None:
    """A bin holds its end; what is longer than all is in the last."""
    lengths = TokenLengths.of([0, 8, 9, 256, 256, 257, 8192, 8193, 10**6])

    assert lengths.to_dict() == {
        "1-8": 2,
        "9-16": 1,
        "225-256": 2,
        "257-320": 1,
        "4097-8192": 1,
        "over 8192": 2,
    }
    assert (lengths + TokenLengths.of([1])).counts[0] == 3
    assert TokenLengths.of([]) == TokenLengths()


@given(st.lists(st.integers(0, 10_000)), st.integers(0, 2**32 - 1), st.integers(0, 30))
def test_a_summary_survives_json(tokens: list[int], seed: int, count: int) -> None:
    """To 8 places the first time, and unchanged from then on."""
    summary = Summary(Moments.of(unit_rows(count, seed, dimension=16)), TokenLengths.of(tokens))

    told = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    back = Summary.from_dict(told)

    assert back.moments.count == count
    assert np.abs(back.moments.mean - summary.moments.mean).max() <= 0.5000001e-8
    assert back.moments.squares == pytest.approx(summary.moments.squares, rel=1e-12)
    assert back.lengths == summary.lengths
    assert back.to_dict()["mean"] == told["mean"]


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"count": 1, "mean": [0.1], "spread": 0.5},
        {"count": "many", "mean": [0.1], "spread": 0.5, "token_lengths": {}},
        {"count": 1, "mean": None, "spread": 0.5, "token_lengths": {}},
        {"count": 1, "mean": 0.1, "spread": 0.5, "token_lengths": {}},
        {"count": 1, "mean": [float("nan")], "spread": 0.5, "token_lengths": {}},
        {"count": 1, "mean": [0.1], "spread": -0.5, "token_lengths": {}},
        {"count": 1, "mean": [0.1], "spread": 0.5, "token_lengths": {"1-7": 3}},
        {"count": 1, "mean": [0.1], "spread": 0.5, "token_lengths": None},
        {"count": 1, "mean": ["a"], "spread": 0.5, "token_lengths": {}},
    ],
)
def test_what_is_no_summary_is_refused(told: dict[str, object]) -> None:
    """It may have been written by another version, or by hand."""
    with pytest.raises(ValueError):  # noqa: PT011
        Summary.from_dict(told)


def test_a_run_collects_a_summary_and_a_sample() -> None:
    """In bounded memory."""
    vectors, distribution = unit_rows(2500, dimension=16), Distribution(16)

    for start in range(0, 2500, 32):
        part = slice(start, min(start + 32, 2500))
        distribution.add(range(start, part.stop), vectors[part], [120] * (part.stop - start))

    assert distribution.summary.moments.count == 2500
    assert distribution.summary.lengths.to_dict() == {BINS[5]: 2500}
    assert distribution.summary.moments.spread == pytest.approx(Moments.of(vectors).spread)
    assert len(distribution.sample.ids) == SAMPLE_ROWS
    assert (distribution.sample.vectors == vectors[distribution.sample.ids]).all()


def test_the_same_vectors_have_not_shifted() -> None:
    """Neither against themselves nor as they are kept."""
    summary = summary_of(issuer(0))

    moved = shift(Summary.from_dict(summary.to_dict()), summary)

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
            moved = shift(
                summary_of(vectors[start : start + count]), summary_of(vectors[start + count : start + count + other])
            )
            assert moved is not None
            assert moved.distance is not None
            assert not moved.shifted
            distances.append(moved.distance / moved.by_chance)
        assert np.mean(distances) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("now", [issuer(1), rotated(issuer(0)), issuer(0) * np.float32(2.0)])
def test_other_texts_weights_and_lengths_are_shifts(now: np.ndarray) -> None:
    """Many times what chance does."""
    moved = shift(summary_of(issuer(0)), summary_of(now))

    assert moved is not None
    assert moved.shifted


def test_where_there_is_no_spread_there_is_no_distance() -> None:
    """One vector each, equal vectors, or none at all."""
    one, same, none = unit_rows(1), np.tile(unit_rows(1), (5, 1)), Summary(Moments.none(384), TokenLengths())

    for before, now in ((one, unit_rows(1, seed=1)), (same, same), (same, same[:3])):
        moved = shift(summary_of(before), summary_of(now))
        assert moved is not None
        assert moved.distance is None
        assert not moved.shifted
    assert shift(none, summary_of(same)) is None
    assert shift(summary_of(same), none) is None


def test_summaries_of_two_spaces_do_not_compare() -> None:
    """Their dimensions tell, where they differ."""
    with pytest.raises(ValueError, match="two spaces"):
        shift(summary_of(unit_rows(3)), summary_of(unit_rows(3, dimension=16)))
