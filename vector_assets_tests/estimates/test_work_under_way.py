"""All runs together: their speeds are added up, and the machines listed."""

import pytest

from vector_assets.domain.runs_at_work import RunAtWork
from vector_assets.estimates.work_under_way import WorkUnderWay


def run(partition: str, speed: float) -> RunAtWork:
    return RunAtWork(f"run of {partition}", partition, 40, 100, speed, "batch 2/5")


def test_speeds_are_added_up_by_machine_and_in_all() -> None:
    """The time left is that of all pending chunks at the speed of all runs."""
    work = WorkUnderWay(1000, 600, [("b", run("us/x/1", 30.0)), ("a", run("us/x/2", 50.0)), ("b", run("us/x/3", 20.0))])

    assert work.line() == "400/1,000 chunks (40.0%) · 100 chunks/s · 3 runs on 2 nodes · 6 s left"
    assert (work.percent, work.seconds_left) == (40.0, pytest.approx(6.0))
    assert [(node.name, node.runs, node.chunks_per_second, node.partitions) for node in work.nodes()] == [
        ("a", 1, 50.0, ("us/x/2",)),
        ("b", 2, 50.0, ("us/x/1", "us/x/3")),
    ]


def test_nothing_is_promised_before_there_is_a_speed() -> None:
    """Nor is anything divided by it, or by no chunks."""
    work = WorkUnderWay(0, 0, [("a", run("us/x/1", 0.0))])

    assert (work.seconds_left, work.percent) == (None, 100.0)
    assert "left" not in work.line()
