"""How long it will take: before it begins, and while it goes on."""

from datetime import UTC, datetime, timedelta

import pytest

from vector_assets.domain.coverage import LastRun, PartitionStatus
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.estimates.backfill_plan import planned
from vector_assets.estimates.backfill_time_left import Remaining

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

    plan = planned({US: 1000, other: 100, NEW: 10}, statuses)

    assert plan.tokens == 1000 * 200 + 100 * 200 + 10 * 150
    assert plan.seconds == pytest.approx(plan.tokens / 3000 + 3 * 0.4)
    assert (
        plan.line()
        == "3 partitions, 1,110 chunks, about 222,000 tokens, about 1 min 15 s at the speed of the last runs"
    )


def test_only_recent_runs_tell_the_speed() -> None:
    """An older one may have been another machine's."""
    slow = [status(PartitionKey("us", "old", str(n)), LastRun("s", NOON, 10, 1000, 999.0)) for n in range(30)]
    later = NOON + timedelta(hours=1)
    fast = [status(PartitionKey("us", "new", str(n)), LastRun("f", later, 10, 1000, 1.0)) for n in range(20)]

    plan = planned({US: 10}, slow + fast)

    assert plan.seconds == pytest.approx(1.0 + 0.4)


def test_without_any_run_nothing_is_made_up() -> None:
    """An honest answer is that nobody knows."""
    plan = planned({US: 5}, [status(US, None)])

    assert (plan.tokens, plan.seconds) == (None, None)
    assert "no run has been made" in plan.line()


def test_partitions_and_chunks_each_have_their_cost() -> None:
    """Ten small partitions that take a second each say little of a large one, and the other way round."""
    small = [PartitionKey("us", "small", str(n)) for n in range(10)]
    remaining = Remaining(dict.fromkeys(small, 10) | {US: 10_000})
    assert remaining.seconds() is None

    for key in small:
        remaining.finish(key, {"vectorized": 9, "failed": 1, "superseded": 0, "seconds": 0.1}, 1.0)

    assert remaining.chunks == 10_000
    assert remaining.seconds() == pytest.approx(10_000 * 0.01)
    assert remaining.seconds(5_000, 50.0) == pytest.approx(5_000 * (1.0 + 100.0) / 5_100)


def test_partitions_to_come_count_with_their_own_cost() -> None:
    """The one at work has paid it."""
    keys = [PartitionKey("us", "small", str(n)) for n in range(3)]
    remaining = Remaining(dict.fromkeys(keys, 10))

    remaining.finish(keys[0], {"vectorized": 10, "failed": 0, "superseded": 0, "seconds": 0.5}, 2.5)

    assert remaining.seconds() == pytest.approx(20 * 0.05 + 2.0)


def test_a_partition_that_failed_early_costs_its_time_only() -> None:
    """It embedded nothing, and its chunks are no longer to come."""
    other = PartitionKey("us", "report", "Y")
    remaining = Remaining({US: 10, other: 10, HK: 10})
    remaining.finish(US, {}, 3.0)
    assert remaining.seconds() is None

    remaining.finish(other, {"vectorized": 10, "failed": 0, "superseded": 0, "seconds": 1.0}, 2.0)

    assert (remaining.chunks, remaining.seconds()) == (10, pytest.approx(1.0))
