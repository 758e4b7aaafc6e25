"""When the next progress event is due, so that events cost a run at most 1 % of its time."""

from ..domain.progress import BatchProgress

# The share of a run that the events between its first and its last may cost: with those two, a run of 20 s stays within
# 1 %. An event and its log line take 3 ms on PostgreSQL. Where they take more than the 7 that one event a second may
# cost, the next waits a little longer.
_BUDGET = 0.007

# A run that is over by then has one event, its last: a company with a page of text would else have two.
_FIRST_EVENT_SECONDS = 1.0


class EventBudget:
    """Counts events and what they cost; the caller reads the clock.

    The first event is the first after a second, unless the interval is 0.

    Args:
        interval_seconds: the least time between two events; 0 logs every batch, whatever it costs.
    """

    def __init__(self, interval_seconds: float) -> None:
        self._interval = interval_seconds
        self._due_at = 0.0
        self.count = 0
        self.seconds = 0.0
        """How much time the events have taken from the run so far."""

    def is_due(self, progress: BatchProgress, now: float) -> bool:
        """Say whether an event of this batch may be logged now."""
        is_early = progress.elapsed_seconds < _FIRST_EVENT_SECONDS and self._interval > 0
        return not is_early and now >= self._due_at

    def spend(self, started: float, seconds: float, computed: float, progress: BatchProgress) -> None:
        """Count an event that took so many seconds, of which its thread computed some.

        It costs the time computed, and the time waited beyond that of a batch: the embedding goes on until the next
        batch is there. Where every core embeds, most of an event is waiting for one.
        """
        batch_seconds = progress.recent_seconds_a_batch or progress.elapsed_seconds
        cost = min(seconds, computed + max(seconds - batch_seconds, 0.0))
        self.count += 1
        self.seconds += cost
        self._due_at = started + max(self._interval, cost / _BUDGET) if self._interval > 0 else 0.0
