"""Sums over partitions, and how complete and how long pending they are."""

from datetime import UTC, datetime, timedelta

import pytest

from vector_assets.domain.coverage import (
    GroupBy,
    GroupStatus,
    LastRun,
    PartitionStatus,
    TokenTotals,
    grouped,
)
from vector_assets.domain.partition_keys import PartitionKey

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def status(key: str, chunks: int = 10, pending: int = 0, hours: float | None = None, run: str = "") -> PartitionStatus:
    since = NOON - timedelta(hours=hours) if hours is not None else None
    token_totals = TokenTotals(100, 10, 2) if run else TokenTotals()
    last_run = LastRun(run, NOON - timedelta(hours=hours or 0), 5, 50, 0.5) if run else None
    return PartitionStatus(PartitionKey.parse(key), chunks, pending, 1, since, last_run, token_totals)


FOUR = [
    status("us/announcement/AAPL", 10, 4, 3, "old"),
    status("hk/announcement/00700", 20),
    status("us/report/AAPL", 30, 6, 1, "new"),
    status("us/report/MSFT"),
]


def test_a_group_is_the_sum_of_its_partitions() -> None:
    """The longest wait and the newest run stand for all of them."""
    hk, us = grouped(FOUR, GroupBy.MARKET)

    assert (hk.name, hk.partitions, hk.chunks, hk.pending_since, hk.last_run) == ("hk", 1, 20, None, None)
    assert (us.partitions, us.chunks, us.pending, us.quarantined, us.current) == (3, 50, 10, 3, 37)
    assert us.coverage == 37 / 50
    assert us.pending_since == NOON - timedelta(hours=3)
    assert us.last_run is not None
    assert (us.last_run.run_id, us.last_run.chunks_per_second) == ("new", 10)
    assert (hk.token_totals, us.token_totals) == (TokenTotals(), TokenTotals(200, 20, 4))
    assert us.token_totals.lost_share == 0.1
    whole = GroupStatus.of("all", [hk, us])
    assert (whole.partitions, whole.chunks, whole.pending, whole.last_run) == (4, 70, 10, us.last_run)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        (GroupBy.COMPANY, ["00700", "AAPL", "MSFT"]),
        (GroupBy.DOC_TYPE, ["announcement", "report"]),
        (GroupBy.PARTITION, sorted(str(item.partition) for item in FOUR)),
    ],
)
def test_partitions_are_grouped_by_each_part_of_their_key(by: GroupBy, names: list[str]) -> None:
    """A company is the same in all markets and doc types."""
    assert [group.name for group in grouped(FOUR, by)] == names


@pytest.mark.parametrize(("hours", "seconds"), [(None, 0.0), (2.0, 7200.0), (-1.0, 0.0)])
def test_how_long_something_is_pending(hours: float | None, seconds: float) -> None:
    """A clock that was set back makes nothing younger than new."""
    assert status("us/report/A", 10, 1, hours).seconds_pending(NOON) == seconds


@pytest.mark.parametrize(
    ("chunks", "lacking", "percent", "rounded"),
    [(0, 0, "100%", 1.0), (10, 10, "0%", 0.0), (3, 1, "66.6%", 0.6666), (100_000, 1, "99.9%", 0.9999)],
)
def test_coverage_is_rounded_down(chunks: int, lacking: int, percent: str, rounded: float) -> None:
    """So that 100% and 1.0 mean complete."""
    counted = PartitionStatus(PartitionKey.parse("us/report/A"), chunks, lacking, 0, None, None)

    assert (counted.coverage_percent, counted.rounded_coverage) == (percent, rounded)
