"""What a backfill will take, from what the last runs did."""

from datetime import UTC, datetime, timedelta

import pytest

from vector_assets.domain.coverage import LastRun, PartitionStatus
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.estimates.backfill_plan import plan_backfill

US, HK, NEW = (PartitionKey(market, "report", "X") for market in ("us", "hk", "cn"))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def status(key: PartitionKey, run: LastRun | None) -> PartitionStatus:
    return PartitionStatus(key, 10, 0, 0, None, run)


def test_a_plan_goes_by_what_the_last_runs_did() -> None:
    """Tokens as in the same partition, or market, or anywhere; seconds by the speed of all, and a share for each."""
    statuses = [
        status(US, LastRun("1", NOON, 100, 20_000, 5.0)),  # 200 tokens a chunk
        status(HK, LastRun("2", NOON, 100, 10_000, 5.0)),  # 100; both together 3,000 tokens a second
    ]
    other = PartitionKey("us", "report", "Y")

    plan = plan_backfill({US: 1000, other: 100, NEW: 10}, statuses)

    assert plan.tokens == 1000 * 200 + 100 * 200 + 10 * 150
    assert plan.seconds == pytest.approx(plan.tokens / 3000 + 3 * 0.4)
    assert (
        plan.line()
        == "3 partitions, 1,110 chunks, about 222,000 tokens, about 1 min 15 s at the speed of the last runs"
    )


def test_the_speed_is_that_of_recent_runs() -> None:
    """An older one may have been another machine's."""
    slow = [status(PartitionKey("us", "old", str(n)), LastRun("s", NOON, 10, 1000, 999.0)) for n in range(30)]
    later = NOON + timedelta(hours=1)
    fast = [status(PartitionKey("us", "new", str(n)), LastRun("f", later, 10, 1000, 1.0)) for n in range(20)]

    plan = plan_backfill({US: 10}, slow + fast)

    assert plan.seconds == pytest.approx(1.0 + 0.4)


def test_the_speed_is_that_of_runs_that_were_long_enough() -> None:
    """A run of a few chunks is start-up above all."""
    short = status(HK, LastRun("s", NOON, 2, 200, 1.0))
    long = status(US, LastRun("l", NOON, 1000, 100_000, 10.0))

    plan = plan_backfill({US: 1000}, [short, long])

    assert plan.seconds == pytest.approx(10.0 + 0.4)


def test_without_any_run_there_is_no_estimate() -> None:
    """Nobody knows how fast this machine is."""
    plan = plan_backfill({US: 5}, [status(US, None)])

    assert (plan.tokens, plan.seconds) == (None, None)
    assert "cannot be estimated" in plan.line()
