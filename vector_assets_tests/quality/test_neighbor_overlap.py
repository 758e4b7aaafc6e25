"""How alike two spaces see the same chunks."""

from collections.abc import Iterator
from uuid import UUID

import numpy as np
import pytest

from vector_assets.domain.spaces import Vectors
from vector_assets.quality.neighbor_overlap import PairedVectors, neighbor_overlap


def vectors(seed: int, count: int = 40) -> Vectors:
    """Rows in random directions."""
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


def pairs(one: Vectors, other: Vectors, first: int = 0) -> PairedVectors:
    """Both spaces' vectors of chunks that are numbered from `first`."""
    return PairedVectors([UUID(int=number + 1) for number in range(first, first + len(one))], one, other)


def in_windows(all_pairs: PairedVectors, size: int) -> Iterator[PairedVectors]:
    """So many chunks at a time."""
    for first in range(0, len(all_pairs.ids), size):
        yield pairs(all_pairs.one[first : first + size], all_pairs.other[first : first + size], first)


def test_equal_directions_have_equal_neighbors() -> None:
    """The length of a vector does not count, and a chunk is no neighbor of its own."""
    one = vectors(1)
    both = pairs(one, 3 * one)

    found = neighbor_overlap(pairs(one[:5], 3 * one[:5]), [both])

    assert (found.chunks, found.sampled, found.neighbors, found.share) == (40, 5, 10, 1.0)


@pytest.mark.parametrize("window", [1, 7, 40])
def test_the_share_is_that_of_an_exact_search(window: int) -> None:
    """However the chunks come; compared with a search that sorts all scores."""
    one, other = vectors(1), vectors(2)
    expected = []
    for query in range(5):
        nearest = []
        for rows in (one, other):
            directions = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            nearest.append({int(place) for place in np.argsort(-(directions @ directions[query]))[1:4]})
        expected.append(len(nearest[0] & nearest[1]) / 3)

    found = neighbor_overlap(pairs(one[:5], other[:5]), in_windows(pairs(one, other), window), neighbors=3)

    assert found.share == pytest.approx(np.mean(expected))
    assert 0 < np.mean(expected) < 1


def test_few_chunks_are_compared_with_all_others() -> None:
    """With one alone there is nothing to compare."""
    three, nothing = pairs(vectors(1, 3), vectors(2, 3)), pairs(vectors(1, 0), vectors(2, 0))

    found = neighbor_overlap(three, [three])

    assert (found.neighbors, found.share) == (2, 1.0)
    alone = pairs(vectors(1, 1), vectors(2, 1))
    assert neighbor_overlap(alone, [alone]).share is None
    assert neighbor_overlap(nothing, []).share is None
