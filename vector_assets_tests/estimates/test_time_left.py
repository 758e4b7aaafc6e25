"""The time left, by a clock that the test sets."""

import pytest

from vector_assets.estimates.time_left import RunTimeLeft


class Clock:
    """Stands still until the test sets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_batch_has_no_speed(clock: Clock) -> None:
    """It came with the first window's reading."""
    estimate = RunTimeLeft(clock=clock)
    clock.now = 9.0
    estimate.batch_committed(10, 100, 900)
    assert (estimate.seconds_left, estimate.spread, estimate.recent_seconds_a_batch) == (None, None, None)

    clock.now = 10.0
    estimate.batch_committed(20, 200, 800)

    assert (estimate.seconds_left, estimate.spread) == (8.0, None)
    assert (estimate.recent_seconds_a_batch, estimate.recent_tokens_per_second) == (1.0, 100.0)


def test_the_spread_is_the_difference_to_the_recent_speed(clock: Clock) -> None:
    """Twenty batches of a second, then sixteen of two: nobody knows which speed will last."""
    estimate = RunTimeLeft(clock=clock)
    for number in range(37):
        clock.now += 1.0 if number <= 20 else 2.0
        estimate.batch_committed(number, number * 100, 1000)

    assert estimate.recent_seconds_a_batch == 2.0
    assert estimate.recent_tokens_per_second == 50.0
    assert estimate.seconds_left == pytest.approx(1000 * 52 / 3600)
    assert estimate.spread == pytest.approx(20.0 - 1000 * 52 / 3600)


def test_at_the_end_the_estimates_are_scored(clock: Clock) -> None:
    """Ten seconds for the first half and thirty for the second: the estimate in the middle was a third of it."""
    estimate = RunTimeLeft(clock=clock)
    for number in range(1, 41):
        clock.now += 0.5 if number <= 20 else 1.5
        estimate.batch_committed(number, number * 100, (40 - number) * 100)

    errors = estimate.errors()

    assert errors[50] == pytest.approx(100 * (10 - 30) / 30)
    assert errors[75] == pytest.approx(100 * (10 * 24.5 / 29 - 15) / 15)


def test_nothing_is_left_when_no_token_is(clock: Clock) -> None:
    """Also after a single batch."""
    estimate = RunTimeLeft(clock=clock)
    estimate.batch_committed(10, 100, 0)

    assert estimate.seconds_left == 0.0


def test_batches_that_end_together_are_no_speed(clock: Clock) -> None:
    """Four at a time, four seconds each: the first estimate comes with the fifth batch, and each is right."""
    estimate = RunTimeLeft(4, clock)
    seen = []
    for number in range(1, 13):
        clock.now = 4.0 * ((number + 3) // 4) + 0.001 * (number % 4)
        estimate.batch_committed(10 * number, 100 * number, 4000)
        seen.append(estimate.seconds_left)

    assert seen[:4] == [None] * 4
    assert seen[4:] == pytest.approx([40.0] * 8, rel=0.01)
