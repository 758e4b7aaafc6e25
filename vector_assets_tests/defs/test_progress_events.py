"""Promise 6: progress has a budget, however fast the embedder is."""

from typing import Any

import pytest

from vector_assets.defs import progress_events as module
from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.progress_events import ProgressEvents
from vector_assets.domain.progress import BatchProgress

from .conftest import US


class Clock:
    """Time that passes only when somebody spends it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited = 0.0

    def perf_counter(self) -> float:
        return self.now

    def thread_time(self) -> float:
        return self.now - self.waited

    def wait(self, seconds: float) -> None:
        """Nothing is computed meanwhile."""
        self.now += seconds
        self.waited += seconds


class CostlyContext:
    """A context whose every event takes a while, some of it in waiting."""

    def __init__(self, clock: Clock, seconds: float, waiting: float = 0.0) -> None:
        self._clock, self._seconds, self._waiting = clock, seconds, waiting
        self.events: list[Any] = []
        self.log = self
        self.asset_key = VECTORIZED_CHUNKS

    def log_event(self, event: Any) -> None:
        self._clock.now += self._seconds
        self._clock.wait(self._waiting)
        self.events.append(event)

    def info(self, line: str) -> None:
        pass


def batch(number: int, total: int, batch_seconds: float) -> BatchProgress:
    """The so-and-so-many-th batch of 32."""
    counts = (32, 32 * number, 32 * total, 32 * number, 0, 0, 1, 1, 0, 0)
    return BatchProgress(number, total, *counts, number * batch_seconds, batch_seconds, 2.0, 1.0, 0.25, ())


@pytest.mark.parametrize("event_seconds", [0.001, 0.015, 0.2, 2.0])
@pytest.mark.parametrize("batch_seconds", [0.0005, 0.01, 0.3, 5.0])
def test_events_stay_within_one_percent(
    event_seconds: float, batch_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the first after a second and the last; and there are no more of them than seconds."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    context = CostlyContext(clock, event_seconds)
    events = ProgressEvents(context, US, 1.0, "batch")
    started, total = clock.now, 3000

    for number in range(1, total + 1):
        clock.now += batch_seconds
        events.report(batch(number, total, batch_seconds))
    events.close()

    elapsed = clock.now - started
    assert (events.budget.count - 2) * event_seconds <= 0.01 * elapsed
    assert events.budget.count <= elapsed + 2
    after_a_second = min(number for number in range(1, total + 1) if number * batch_seconds >= 1)
    reported = [event.metadata["progress/processed"].value for event in context.events]
    assert (reported[0], reported[-1]) == (32 * after_a_second, 32 * total)


@pytest.mark.parametrize(("waiting", "seconds_between"), [(0.0, 1.0), (0.29, 1.0), (0.5, (0.005 + 0.205) / 0.007)])
def test_an_event_that_waits_no_longer_than_a_batch_costs_what_it_computes(
    waiting: float, seconds_between: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where every core embeds, an event waits for one, and the run goes on: that is no reason to fall silent."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    events = ProgressEvents(CostlyContext(clock, 0.005, waiting), US, 1.0, "batch")

    for number in range(1, 1001):
        clock.wait(0.3)
        events.report(batch(number, 1000, 0.3))

    assert clock.waited / events.budget.count == pytest.approx(seconds_between, rel=0.35)


def test_a_run_of_nothing_tells_nothing() -> None:
    """No batch, no event."""
    context = CostlyContext(Clock(), 0.0)

    ProgressEvents(context, US, 1.0, "batch").close()

    assert context.events == []


@pytest.mark.parametrize(("batch_seconds", "reported"), [(0.15, [160]), (0.3, [128, 160]), (1.0, [32, 160])])
def test_first_and_last_are_reported_however_long_the_interval(
    batch_seconds: float, reported: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first after a second: of what is over by then, the last alone."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    context = CostlyContext(clock, 0.001)
    events = ProgressEvents(context, US, 3600.0, "batch")

    for number in range(1, 6):
        clock.wait(batch_seconds)
        events.report(batch(number, 5, batch_seconds))
    events.close()

    assert [event.metadata["progress/processed"].value for event in context.events] == reported
