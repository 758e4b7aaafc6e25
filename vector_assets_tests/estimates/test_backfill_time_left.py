"""How long a backfill has left, from the partitions that are finished."""

import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.domain.reports import StageSeconds, VectorizeReport
from vector_assets.estimates.backfill_time_left import BackfillTimeLeft

US, HK = PartitionKey("us", "report", "X"), PartitionKey("hk", "report", "X")


def report(vectorized: int, failed: int, seconds: float) -> VectorizeReport:
    """Give the report of a run that took so long."""
    total = vectorized + failed
    return VectorizeReport("run", total, 1, vectorized, 0, failed, 0, 0, 0, 0, 0, seconds, StageSeconds())


def batch(processed: int, chunks_per_second: float, seconds_left: float | None = None) -> BatchProgress:
    """Give the progress of a partition of any number of chunks, so many of them processed at that speed."""
    counts = processed, 9 * processed, processed, 0, 0, 0, 0, 0, 0
    elapsed = processed / chunks_per_second
    return BatchProgress(1, 9, 32, *counts, elapsed, None, None, seconds_left, None, ())


def test_small_partitions_do_not_predict_a_large_one_by_the_mean_of_their_chunks() -> None:
    """Each took half a second and ten milliseconds for each chunk, beside half a second of Dagster's."""
    sizes = dict.fromkeys(range(2, 52, 2))
    small = {PartitionKey("us", "small", str(size)): size for size in sizes}
    time_left = BackfillTimeLeft(small | {US: 10_000})
    assert time_left.seconds_left() is None

    for key, size in small.items():
        time_left.finish(key, report(size - 1, 1, 0.5 + 0.01 * size), 1.0 + 0.01 * size)

    assert time_left.chunks == 10_000
    assert time_left.seconds_left() == pytest.approx(10_000 * 0.01, rel=0.05)
    assert time_left.seconds_left(batch(5_000, 50.0)) == pytest.approx(5_000 / 50.0, rel=0.05)


def test_a_large_partition_predicts_small_ones_by_their_number_too() -> None:
    """The one that is being embedded has paid its start-up."""
    small = {PartitionKey("us", "small", str(number)): 10 for number in range(100)}
    time_left = BackfillTimeLeft(small | {US: 1_000})
    time_left.finish(US, report(1_000, 0, 10.5), 11.0)

    for key in list(small)[:20]:
        time_left.finish(key, report(10, 0, 0.6), 1.1)

    assert time_left.seconds_left() == pytest.approx(800 * 0.01 + 79 * 1.0, rel=0.1)


def test_partitions_of_one_size_need_not_be_told_apart() -> None:
    """What is start-up of them and what is embedding makes no difference."""
    keys = [PartitionKey("us", "small", str(n)) for n in range(30)]
    time_left = BackfillTimeLeft(dict.fromkeys(keys, 10))

    for key in keys[:10]:
        time_left.finish(key, report(10, 0, 0.5), 2.5)

    assert time_left.seconds_left() == pytest.approx(20 * 2.5 - 2.0, rel=0.02)


def test_speeds_that_vary_give_no_cost_below_nothing() -> None:
    """A large partition that was faster than a small one, and one that was slower for each chunk."""
    for seconds in (0.4, 90.0):
        time_left = BackfillTimeLeft({US: 10, HK: 1_000, PartitionKey("us", "report", "Y"): 100})
        time_left.finish(US, report(10, 0, 1.0), 1.5)
        time_left.finish(HK, report(1_000, 0, seconds), seconds + 0.5)

        left = time_left.seconds_left()

        assert left is not None
        assert 0 < left < 100 * max(0.1, seconds / 1_000) + 1


def test_a_partition_that_failed_early_costs_its_time_only() -> None:
    """It embedded nothing, and its chunks are no longer to come."""
    other = PartitionKey("us", "report", "Y")
    time_left = BackfillTimeLeft({US: 10, other: 1_000, HK: 1_000})
    time_left.finish(US, None, 3.0)
    assert time_left.seconds_left() is None

    time_left.finish(other, report(1_000, 0, 100.0), 101.0)

    assert (time_left.chunks, time_left.seconds_left()) == (1_000, pytest.approx(100.0, rel=0.01))


def test_the_partition_that_is_embedded_has_its_own_speed() -> None:
    """Texts of the first one took twice as long; those of this one are seen to be quicker, those to come are not."""
    last = PartitionKey("us", "report", "Z")
    time_left = BackfillTimeLeft({HK: 1_000, US: 1_000, last: 100})
    time_left.finish(HK, report(1_000, 0, 40.0), 40.0)

    left = time_left.seconds_left(batch(900, 50.0))

    assert left is not None
    assert 100 / 50 + 100 / 50 < left < 100 / 50 + 100 / 25 + 1
    by_its_tokens = time_left.seconds_left(batch(900, 50.0, 1.0))
    assert by_its_tokens is not None
    assert left - 1.0 <= by_its_tokens < left - 0.5


def test_a_plan_is_an_estimate_before_the_first_chunk_and_fades() -> None:
    """It counts as much as two seconds of work, and one partition."""
    time_left = BackfillTimeLeft({US: 1_000, HK: 1_000}, planned_seconds=100.8)

    assert time_left.seconds_left() == pytest.approx(100.0 + 0.4)
    planned, measured = 1_900 * 0.05, 1_900 * 0.1
    left = time_left.seconds_left(batch(100, 10.0))
    assert left is not None
    assert planned < left < measured

    time_left.finish(US, report(1_000, 0, 200.0), 202.4)

    assert time_left.seconds_left() == pytest.approx(1_000 * 0.2, rel=0.1)


def test_a_plan_of_start_up_alone_says_nothing_of_chunks() -> None:
    """They are so few that they take no time by the plan; the first one is waited for."""
    assert BackfillTimeLeft({US: 1, HK: 1}, planned_seconds=0.5).seconds_left() is None
