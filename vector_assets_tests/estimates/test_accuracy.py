"""Estimates of the time left are scored against the true ones."""

import pickle
from collections.abc import Sequence

import pytest

from vector_assets.estimates.accuracy import EstimateAccuracy


def errors_of(steps: Sequence[tuple[int, float, float | None]]) -> dict[int, float | None]:
    accuracy = EstimateAccuracy()
    for step in steps:
        accuracy.record(*step)
    return accuracy.errors()


def test_an_exact_estimate_has_no_error() -> None:
    """At each mark."""
    assert errors_of([(n, float(n), 100.0 - n) for n in range(1, 101)]) == {25: 0.0, 50: 0.0, 75: 0.0}


def test_errors_are_of_the_time_that_was_left() -> None:
    """Twice as long, half as long, and a tenth too long, said of 75, 50 and 25 seconds."""
    steps = [(25, 25.0, 150.0), (50, 50.0, 25.0), (75, 75.0, 27.5), (100, 100.0, 0.0)]

    assert errors_of(steps) == {25: 100.0, 50: -50.0, 75: pytest.approx(10.0)}


def test_the_last_estimate_before_the_mark_counts() -> None:
    """Not the one after it."""
    assert errors_of([(20, 20.0, 80.0), (40, 40.0, 999.0), (100, 100.0, 0.0)]) == {
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
def test_without_an_estimate_there_is_no_error(
    steps: list[tuple[int, float, float | None]], errors: dict[int, float | None]
) -> None:
    """Nor has a time left of nothing."""
    assert errors_of(steps) == errors


def linear(batches: int) -> EstimateAccuracy:
    """Estimates whose error in percent is the percentage of the batch."""
    accuracy = EstimateAccuracy()
    for n in range(1, batches + 1):
        accuracy.record(n, float(n), (batches - n) * (1 + n / batches))
    return accuracy


@pytest.mark.parametrize("batches", [2000, 5003, 20_000])
def test_a_long_run_needs_no_more_memory(batches: int) -> None:
    """And is still scored near the marks."""
    accuracy = linear(batches)

    assert len(pickle.dumps(accuracy)) < 1.1 * len(pickle.dumps(linear(511)))
    assert accuracy.errors() == pytest.approx({25: 25, 50: 50, 75: 75}, abs=0.5)
