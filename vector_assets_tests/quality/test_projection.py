"""The picture is the two directions with most spread, always the same way round."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.quality.projection import project

from .vector_rows import rotated, unit_rows


def test_points_are_where_the_spread_is() -> None:
    """Two directions that differ in spread are found, in whatever way the whole is turned."""
    random = np.random.default_rng(0)
    flat = np.zeros((200, 16), np.float32)
    flat[:, 3] = 3 * random.normal(size=200)
    flat[:, 7] = random.normal(size=200)
    flat += 0.01 * unit_rows(200, dimension=16) + 5

    for vectors in (flat, rotated(flat)):
        projection = project(vectors)
        assert abs(np.corrcoef(projection.points[:, 0], flat[:, 3])[0, 1]) > 0.99
        assert abs(np.corrcoef(projection.points[:, 1], flat[:, 7])[0, 1]) > 0.99
        assert projection.shares == pytest.approx((0.9, 0.1), abs=0.03)
        assert projection.points.dtype == np.float32


@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(20)))
def test_the_order_of_the_rows_does_not_turn_the_picture(seed: int, order: list[int]) -> None:
    """Each row keeps its point."""
    vectors = unit_rows(20, seed, dimension=16) * np.linspace(1, 3, 16, dtype=np.float32)

    points, shuffled = project(vectors).points, project(vectors[order]).points

    assert np.allclose(shuffled, points[order], atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_vectors(count: int) -> None:
    """Directions that do not exist are 0."""
    projection = project(unit_rows(count))

    assert projection.points.shape == (count, 2)
    assert projection.points[:, 1] == pytest.approx(0, abs=1e-6)
    assert projection.shares == pytest.approx((1.0 if count == 2 else 0.0, 0.0), abs=1e-9)


def test_equal_vectors_are_one_point() -> None:
    """And no error."""
    projection = project(np.tile(unit_rows(1), (5, 1)))

    assert np.abs(projection.points).max() < 1e-6
    assert all(0 <= share <= 1 for share in projection.shares)
    assert project(np.ones((4, 1), np.float32)).points.shape == (4, 2)
