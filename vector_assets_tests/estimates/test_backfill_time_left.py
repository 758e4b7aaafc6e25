"""How long a backfill has left, from the partitions that are finished."""

import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.reports import StageSeconds, VectorizeReport
from vector_assets.estimates.backfill_time_left import BackfillTimeLeft

US, HK = PartitionKey("us", "report", "X"), PartitionKey("hk", "report", "X")


def report(vectorized: int, failed: int, seconds: float) -> VectorizeReport:
    """Give the report of a run that took so long."""
    total = vectorized + failed
    return VectorizeReport("run", total, 1, vectorized, 0, failed, 0, 0, 0, 0, 0, seconds, StageSeconds())


def test_partitions_and_chunks_each_have_their_cost() -> None:
    """Ten small partitions that take a second each do not predict a large one, and the other way round."""
    small = [PartitionKey("us", "small", str(n)) for n in range(10)]
    time_left = BackfillTimeLeft(dict.fromkeys(small, 10) | {US: 10_000})
    assert time_left.seconds_left() is None

    for key in small:
        time_left.finish(key, report(9, 1, 0.1), 1.0)

    assert time_left.chunks == 10_000
    assert time_left.seconds_left() == pytest.approx(10_000 * 0.01)
    assert time_left.seconds_left(5_000, 50.0) == pytest.approx(5_000 * (1.0 + 100.0) / 5_100)


def test_partitions_to_come_count_with_their_own_cost() -> None:
    """The one that is being embedded has paid it."""
    keys = [PartitionKey("us", "small", str(n)) for n in range(3)]
    time_left = BackfillTimeLeft(dict.fromkeys(keys, 10))

    time_left.finish(keys[0], report(10, 0, 0.5), 2.5)

    assert time_left.seconds_left() == pytest.approx(20 * 0.05 + 2.0)


def test_a_partition_that_failed_early_costs_its_time_only() -> None:
    """It embedded nothing, and its chunks are no longer to come."""
    other = PartitionKey("us", "report", "Y")
    time_left = BackfillTimeLeft({US: 10, other: 10, HK: 10})
    time_left.finish(US, None, 3.0)
    assert time_left.seconds_left() is None

    time_left.finish(other, report(10, 0, 1.0), 2.0)

    assert (time_left.chunks, time_left.seconds_left()) == (10, pytest.approx(1.0))


def test_a_plan_is_an_estimate_before_the_first_chunk_and_fades() -> None:
    """It counts as much as five seconds of work, and one partition."""
    time_left = BackfillTimeLeft({US: 1_000, HK: 1_000}, planned_seconds=100.8)

    assert time_left.seconds_left() == pytest.approx(100.0 + 0.4)
    assert time_left.seconds_left(100, 10.0) == pytest.approx(1_900 * (5.0 + 10.0) / (100 + 100) + 0.4)

    time_left.finish(US, report(1_000, 0, 200.0), 202.4)

    assert time_left.seconds_left() == pytest.approx(1_000 * 205.0 / 1_100)


def test_a_plan_of_start_up_alone_says_nothing_of_chunks() -> None:
    """They are so few that they take no time by the plan; the first one is waited for."""
    assert BackfillTimeLeft({US: 1, HK: 1}, planned_seconds=0.5).seconds_left() is None
