"""A sample is fair, and the same in any order."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.quality.sample import Sample

from .vector_rows import unit_rows

CUTS = st.lists(st.integers(0, 60), max_size=8).map(sorted)


@given(cuts=CUTS, order=st.randoms(use_true_random=False), size=st.integers(0, 70))
def test_a_sample_is_the_same_in_any_order(cuts: list[int], order: Random, size: int) -> None:
    """Each id keeps its vector."""
    ids = np.arange(1000, 1060)
    vectors = unit_rows(60, dimension=16)
    batches = np.split(np.arange(60), cuts)
    order.shuffle(batches)

    sample = Sample.empty(size, 16)
    for batch in batches:
        sample = sample.with_rows(ids[batch], vectors[batch])

    expected = Sample.empty(size, 16).with_rows(ids, vectors)
    assert len(sample.ids) == min(size, 60)
    assert sample.ids.tolist() == expected.ids.tolist()
    assert (sample.vectors == vectors[sample.ids - 1000]).all()


def test_a_sample_is_fair() -> None:
    """Ids that follow one another, as chunks' do, are all as likely."""
    taken = Sample.empty(1000, 1).with_rows(range(10_000), np.zeros((10_000, 1), np.float32)).ids

    tenths = np.bincount(taken // 1000, minlength=10)
    assert len(set(taken.tolist())) == 1000
    assert ((tenths - 100) ** 2 / 100).sum() < 27.9  # chi-square with 9 degrees of freedom, p = 0.001
    assert abs(np.mean(taken % 2) - 0.5) < 0.05
