"""The time left, by a clock that the test sets."""

import pytest

from vector_assets.estimates import time_left as estimates
from vector_assets.estimates.time_left import Estimate


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(estimates, "time", clock)
    return clock


def test_the_first_batch_says_nothing_of_the_speed(clock: Clock) -> None:
    """It came with the first window's reading."""
    estimate = Estimate()
    clock.now = 9.0
    estimate.batch_committed(10, 100, 900)
    assert (estimate.seconds_left, estimate.spread, estimate.recent_seconds_a_batch) == (None, None, None)

    clock.now = 10.0
    estimate.batch_committed(20, 200, 800)

    assert (estimate.seconds_left, estimate.spread) == (8.0, 0.0)
    assert (estimate.recent_seconds_a_batch, estimate.recent_tokens_per_second) == (1.0, 100.0)


def test_the_spread_is_what_the_last_batches_would_say(clock: Clock) -> None:
    """Twenty batches of a second, then sixteen of two: nobody knows which of them will go on."""
    estimate = Estimate()
    for number in range(37):
        clock.now += 1.0 if number <= 20 else 2.0
        estimate.batch_committed(number, number * 100, 1000)

    assert estimate.recent_seconds_a_batch == 2.0
    assert estimate.recent_tokens_per_second == 50.0
    assert estimate.seconds_left == pytest.approx(1000 * 52 / 3600)
    assert estimate.spread == pytest.approx(20.0 - 1000 * 52 / 3600)


def test_at_the_end_the_announcements_are_scored(clock: Clock) -> None:
    """Ten seconds for the first half and thirty for the second: what was said in the middle was a third of it."""
    estimate = Estimate()
    for number in range(1, 41):
        clock.now += 0.5 if number <= 20 else 1.5
        estimate.batch_committed(number, number * 100, (40 - number) * 100)

    errors = estimate.errors()

    assert errors[50] == pytest.approx(100 * (10 - 30) / 30)
    assert errors[75] == pytest.approx(100 * (10 * 24.5 / 29 - 15) / 15)


def test_nothing_is_left_when_no_token_is(clock: Clock) -> None:
    """Also after a single batch."""
    estimate = Estimate()
    estimate.batch_committed(10, 100, 0)

    assert estimate.seconds_left == 0.0
