"""Which partitions have been pending for too long."""

from datetime import UTC, datetime, timedelta

import pytest

from vector_assets.domain.coverage import PartitionStatus
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.quality.freshness import freshness

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def status(key: str, chunks: int, pending: int = 0, hours: float | None = None) -> PartitionStatus:
    since = None if hours is None else NOW - timedelta(hours=hours)
    return PartitionStatus(PartitionKey.parse(key), chunks, pending, 0, since, None)


@pytest.mark.parametrize(("hours", "passes"), [(None, True), (0.0, True), (24.0, True), (24.001, False), (-5.0, True)])
def test_the_limit_itself_is_still_kept(hours: float | None, passes: bool) -> None:
    """What has been pending for longer is late; a clock that was set back makes nothing late."""
    found = freshness([status("us/annual_report/A", 3, 1, hours)], 24.0, NOW)

    assert found.passed is passes
    assert len(found.late) == (0 if passes else 1)
    assert found.oldest_pending_hours == pytest.approx(max(hours or 0.0, 0.0))


def test_the_oldest_come_first() -> None:
    """Then by key; partitions within the limit and complete ones are not among them."""
    late = [status(f"us/annual_report/C{n:02}", 9, n, 30 + n) for n in range(12)]
    twins = [status(f"{market}/annual_report/T", 9, 1, 41) for market in ("us", "hk")]

    found = freshness([*late, *twins, status("us/report/A", 9, 1, 2), status("us/report/B", 9)], 24.0, NOW)

    assert [str(item.partition) for item in found.late][:4] == [
        "hk/annual_report/T",
        "us/annual_report/C11",
        "us/annual_report/T",
        "us/annual_report/C10",
    ]
    assert (len(found.late), found.oldest_pending_hours) == (14, 41.0)
    assert found.late[1].pending == 11


def test_the_description_names_the_oldest_and_for_how_long() -> None:
    """With how many there are."""
    one = [status("us/annual_report/A", 9, 1, 41)]

    assert "14 partitions have" in freshness([status(f"us/r/{n}", 9, 1, 30) for n in range(14)], 24.0, NOW).description
    assert "1 partition has" in freshness(one, 24.0, NOW).description
    assert "us/annual_report/A for 1 d 17 h" in freshness(one, 24.0, NOW).description
