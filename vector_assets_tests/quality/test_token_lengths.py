"""Token lengths are exact: their percentiles are those of the texts one by one."""

from hypothesis import given
from hypothesis import strategies as st

from vector_assets.quality.token_lengths import TokenLengths


@given(lengths=st.lists(st.integers(0, 10_000), min_size=1), percent=st.integers(1, 100))
def test_a_percentile_is_a_length_that_so_many_texts_do_not_exceed(lengths: list[int], percent: int) -> None:
    """The smallest such length, by counting."""
    counted = TokenLengths.of(lengths)

    found = counted.percentile(percent)

    assert sum(length <= found for length in lengths) * 100 >= percent * len(lengths)
    assert sum(length < found for length in lengths) * 100 < percent * len(lengths)
    assert counted.percentile(100) == counted.longest == max(lengths)


def test_no_texts_have_no_length() -> None:
    """All figures are 0."""
    nothing = TokenLengths.of([])

    assert (nothing.percentile(50), nothing.percentile(95), nothing.longest) == (0, 0, 0)
