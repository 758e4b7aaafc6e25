"""Promise 6: progress has a budget, however fast the embedder is."""

from typing import Any

import pytest

from vector_assets.defs import progress as module
from vector_assets.defs.progress import ProgressEvents
from vector_assets.domain import BatchProgress

from .conftest import US


class Clock:
    """Time that passes only when somebody spends it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        return self.now


class CostlyContext:
    """A context whose every event takes a while."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self.events: list[Any] = []
        self.log = self

    def log_event(self, event: Any) -> None:
        self._clock.now += self._seconds
        self.events.append(event)

    def info(self, line: str) -> None:
        pass


def batch(number: int, total: int) -> BatchProgress:
    """The so-and-so-many-th batch of 32."""
    counts = (32, 32 * number, 32 * total, 32 * number, 0, 0, 1, 1, 0, 0)
    return BatchProgress(number, total, *counts, 1.0, 0.5, 2.0, 1.0, 0.25, ())


@pytest.mark.parametrize("event_seconds", [0.001, 0.015, 0.2, 2.0])
@pytest.mark.parametrize("batch_seconds", [0.0005, 0.01, 0.3, 5.0])
def test_events_stay_within_one_percent(
    event_seconds: float, batch_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the first and the last, which are always told; and there are no more of them than seconds."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    context = CostlyContext(clock, event_seconds)
    events = ProgressEvents(context, US, 1.0, "batch")
    started, total = clock.now, 3000

    for number in range(1, total + 1):
        clock.now += batch_seconds
        events.tell(batch(number, total))
    events.close()

    elapsed = clock.now - started
    assert (events.count - 2) * event_seconds <= 0.01 * elapsed
    assert events.count <= elapsed + 2
    assert [event.metadata["progress/processed"].value for event in context.events][0 :: events.count - 1] == [
        32,
        96000,
    ]


def test_a_run_of_nothing_tells_nothing() -> None:
    """No batch, no event."""
    context = CostlyContext(Clock(), 0.0)

    ProgressEvents(context, US, 1.0, "batch").close()

    assert context.events == []
