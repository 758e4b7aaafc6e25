"""A run's vectors are summarized, sampled and counted in bounded memory, and added to what was there before."""

import pytest

from vector_assets.domain.spaces import Vectors
from vector_assets.quality.distribution import SAMPLE_ROWS, Distribution
from vector_assets.quality.vector_summary import VectorSummary

from .vector_rows import issuer, unit_rows


def distribution_of(vectors: Vectors) -> Distribution:
    distribution = Distribution(vectors.shape[1])
    distribution.add(range(len(vectors)), vectors, [100] * len(vectors))
    return distribution


def test_a_run_collects_a_summary_a_sample_and_token_lengths() -> None:
    """Batch by batch, as if all were seen at once."""
    vectors, distribution = unit_rows(2500, dimension=16), Distribution(16)

    for start in range(0, 2500, 32):
        ids = range(start, min(start + 32, 2500))
        distribution.add(ids, vectors[ids.start : ids.stop], [100 + number % 50 for number in ids])

    assert distribution.summary.count == 2500
    assert distribution.summary.spread == pytest.approx(VectorSummary.of(vectors).spread)
    assert distribution.token_lengths.counts == dict.fromkeys(range(100, 150), 50)
    assert len(distribution.sample.ids) == SAMPLE_ROWS
    assert (distribution.sample.vectors == vectors[distribution.sample.ids]).all()


@pytest.mark.parametrize(("stored", "current", "count"), [(50, 100, 50), (100, 100, 100), (49, 100, 249)])
def test_a_partition_is_summarized_with_what_was_there(stored: int, current: int, count: int) -> None:
    """If less than half of its vectors are new, they are added to the former ones."""
    former = VectorSummary.of(issuer(0, 200))
    distribution = distribution_of(issuer(1, stored))

    assert distribution.summary_of_partition(former, current).count == count
    assert distribution.summary_of_partition(None, current).count == stored
