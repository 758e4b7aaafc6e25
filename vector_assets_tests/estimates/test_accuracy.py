"""Announced times left are scored against the true ones."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.estimates.accuracy import Announcements


def told(steps: Sequence[tuple[int, float, float | None]]) -> dict[int, float | None]:
    announcements = Announcements()
    for step in steps:
        announcements.tell(*step)
    return announcements.errors()


def test_an_exact_estimate_has_no_error() -> None:
    """At each mark."""
    assert told([(n, float(n), 100.0 - n) for n in range(1, 101)]) == {25: 0.0, 50: 0.0, 75: 0.0}


def test_errors_are_of_the_time_that_was_left() -> None:
    """Twice as long, half as long, and a tenth too long, said of 75, 50 and 25 seconds."""
    steps = [(25, 25.0, 150.0), (50, 50.0, 25.0), (75, 75.0, 27.5), (100, 100.0, 0.0)]

    assert told(steps) == {25: 100.0, 50: -50.0, 75: pytest.approx(10.0)}


def test_what_stood_there_at_the_mark_counts() -> None:
    """Not what was said after it."""
    assert told([(20, 20.0, 80.0), (40, 40.0, 999.0), (100, 100.0, 0.0)]) == {
        25: 0.0,
        50: pytest.approx(1565.0),
        75: pytest.approx(1565.0),
    }


@pytest.mark.parametrize(
    ("steps", "errors"),
    [
        ([], {25: None, 50: None, 75: None}),
        ([(10, 1.0, 0.0)], {25: None, 50: None, 75: None}),
        ([(5, 1.0, None), (10, 2.0, 0.0)], {25: None, 50: None, 75: None}),
        ([(4, 1.0, None), (7, 1.5, 0.5), (10, 2.0, 0.0)], {25: None, 50: None, 75: 0.0}),
        ([(5, 1.0, 1.0), (10, 1.0, 0.0)], {25: None, 50: None, 75: None}),
    ],
    ids=["nothing", "one batch", "no speed yet", "late", "no time passed"],
)
def test_what_was_never_announced_has_no_error(
    steps: list[tuple[int, float, float | None]], errors: dict[int, float | None]
) -> None:
    """Nor has a time left of nothing."""
    assert told(steps) == errors


@given(batches=st.integers(2000, 20_000))
def test_a_long_run_needs_no_more_memory(batches: int) -> None:
    """And is still scored near the marks: here the error in percent is the number of the batch's percentage."""
    announcements = Announcements()
    for n in range(1, batches + 1):
        left = batches - n
        announcements.tell(n, float(n), left * (1 + n / batches))

    assert len(announcements._kept) <= 512
    assert announcements.errors() == pytest.approx({25: 25, 50: 50, 75: 75}, abs=0.5)
