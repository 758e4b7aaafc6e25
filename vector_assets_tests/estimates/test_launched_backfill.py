"""A backfill that runs of Dagster do: what they report is added up."""

from vector_assets.domain.runs_at_work import RunAtWork
from vector_assets.estimates.launched_backfill import LaunchedBackfill


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def run(name: str, partition: str, processed: int, speed: float = 2.0) -> RunAtWork:
    return RunAtWork(name, partition, processed, 100, speed, "")


def test_the_time_left_is_that_of_all_runs_together() -> None:
    """Unknown until chunks were done over some time; several runs may be at one partition."""
    clock = Clock()
    backfill = LaunchedBackfill({"a": 100, "b": 100}, clock=clock)

    backfill.update(set(), set(), [])
    nothing = (backfill.processed, backfill.seconds_left)
    backfill.update(set(), set(), [run("1", "a", 10), run("2", "a", 10)])
    first = (backfill.processed, backfill.seconds_left)
    clock.now = 10.0
    backfill.update(set(), set(), [run("1", "a", 30), run("2", "a", 30), run("3", "b", 20)])

    assert (nothing, first) == ((0, None), (20, None))
    assert (backfill.processed, backfill.chunks_per_second) == (80, 6.0)
    assert backfill.seconds_left == 120 * 10 / 60


def test_what_failed_is_not_waited_for() -> None:
    """What a run did before it failed counts, and a partition that is done counts whole."""
    clock = Clock()
    backfill = LaunchedBackfill({"a": 100, "b": 100, "c": 50}, clock=clock)
    backfill.update(set(), set(), [run("1", "a", 40)])
    clock.now = 10.0

    backfill.update({"b"}, {"a"}, [run("1", "a", 40)])

    assert backfill.processed == 140
    assert backfill.at_work == []
    assert backfill.seconds_left == 50 * 10 / 100


def test_runs_of_other_partitions_are_none_of_this_backfill() -> None:
    """A sensor may have started them meanwhile; neither their speed nor their chunks count."""
    backfill = LaunchedBackfill({"a": 100}, clock=Clock())

    backfill.update(set(), set(), [run("1", "a", 40), run("2", "other", 70)])

    assert backfill.processed == 40
    assert backfill.chunks_per_second == 2.0
    assert [item.partition for item in backfill.at_work] == ["a"]


def test_a_plan_is_the_estimate_until_there_is_a_speed() -> None:
    """Chunks that are done, or given up, take none of it."""
    clock = Clock()
    backfill = LaunchedBackfill({"a": 100, "b": 100}, planned_seconds=50.0, clock=clock)
    planned = backfill.seconds_left
    backfill.update(set(), set(), [run("1", "a", 20)])
    first = backfill.seconds_left
    clock.now = 10.0

    backfill.update(set(), set(), [run("1", "a", 40)])

    assert (planned, first, backfill.seconds_left) == (50.0, 45.0, 160 * 10 / 20)
