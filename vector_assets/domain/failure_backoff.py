"""How long a partition rests after its runs failed, and a chunk after it failed, before there is another attempt."""

from collections.abc import Sequence
from datetime import datetime, timedelta

FIRST_REST = timedelta(minutes=1)
"""After one failure. Each further one doubles the rest, up to the longest."""

LONGEST_REST = timedelta(hours=1)


SECOND_ATTEMPT_AFTER = timedelta(minutes=10)
"""How long a chunk that failed once waits. Most hiccups of a device, a library or a service are over by then."""


def rest_after(failures: int) -> timedelta:
    """Return how long a partition rests after so many failures in a row, at least one."""
    return min(FIRST_REST * (1 << min(failures - 1, 10)), LONGEST_REST)


def is_resting(failed_at: Sequence[float], now: datetime) -> bool:
    """Return whether a partition rests, given when its runs failed since it was last materialized, in Unix seconds."""
    return bool(failed_at) and now.timestamp() < max(failed_at) + rest_after(len(failed_at)).total_seconds()
