"""Sums over partitions, and ages in words."""

from datetime import UTC, datetime, timedelta

import pytest

from vector_assets.domain.coverage import (
    GroupBy,
    GroupStatus,
    LastRun,
    PartitionStatus,
    TokenTotals,
    grouped,
    readable_age,
)
from vector_assets.domain.partition_keys import PartitionKey

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def status(key: str, chunks: int = 10, pending: int = 0, hours: float | None = None, run: str = "") -> PartitionStatus:
    since = NOON - timedelta(hours=hours) if hours is not None else None
    token_totals = TokenTotals(100, 10, 2)
    last_run = LastRun(run, NOON - timedelta(hours=hours or 0), 5, 50, 0.5, token_totals) if run else None
    return PartitionStatus(PartitionKey.parse(key), chunks, pending, 1, since, last_run)


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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0.9, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 days")],
)
def test_an_age_is_one_number(seconds: float, words: str) -> None:
    """Rounded down; a clock that was set back makes nothing younger than new."""
    assert readable_age(NOON - timedelta(seconds=seconds), NOON) == words
