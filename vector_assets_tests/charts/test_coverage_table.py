"""The rows and totals of `gold/coverage`."""

from datetime import UTC, datetime, timedelta

from vector_assets.charts.coverage_table import MAX_ROWS, column_types, coverage_rows, coverage_totals
from vector_assets.domain.coverage import GroupBy, GroupStatus, LastRun, PartitionStatus, TokenTotals, grouped
from vector_assets.domain.partition_keys import PartitionKey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def status(key: str, chunks: int, pending: int = 0, run: LastRun | None = None) -> PartitionStatus:
    totals = TokenTotals(1000, 25, 3) if run else TokenTotals()
    since = NOW - timedelta(hours=3.25) if pending else None
    return PartitionStatus(PartitionKey.parse(key), chunks, pending, 0, since, run, totals)


def test_of_many_companies_those_that_lack_most_are_shown() -> None:
    """The last row adds up the rest, and says how many there are and how many of them are incomplete."""
    many = [status(f"us/annual_report/C{n:03}", 1000, max(n - 10, 0)) for n in range(60)]

    rows = coverage_rows("company", grouped(many, GroupBy.COMPANY), NOW)

    assert [row["company"] for row in rows[:-1]] == [f"C{n:03}" for n in range(59, 59 - MAX_ROWS, -1)]
    assert rows[-1]["company"] == "40 more, 29 of them incomplete"
    assert rows[-1]["pending"] == sum(range(1, 30))
    assert sum(row["chunks"] for row in rows) == 60_000


def test_a_row_has_a_value_for_each_column() -> None:
    """Of its type; what a partition without runs does not have is empty."""
    run = LastRun("run", datetime(2026, 2, 3, 4, 5, tzinfo=UTC), 100, 20_000, 0.5)

    new, vectorized = coverage_rows(
        "market", grouped([status("us/report/A", 9, 9), status("hk/report/B", 10, 0, run)], GroupBy.MARKET), NOW
    )

    types = column_types("market")
    assert list(new) == list(vectorized) == list(types)
    assert {name: type(value).__name__ for name, value in new.items()} == {
        name: "str" if kind == "string" else "int" for name, kind in types.items()
    }
    assert (new["oldest pending"], new["chunks/s"], new["last run (UTC)"]) == ("3 h 15 min", "", "")
    assert (vectorized["oldest pending"], vectorized["chunks/s"], vectorized["truncated"]) == ("", "200", 3)
    assert vectorized["last run (UTC)"] == "2026-02-03\N{NO-BREAK SPACE}04:05"


def test_totals_are_numbers_that_dagster_plots() -> None:
    """The coverage is rounded down: 100 means complete."""
    totals = coverage_totals(
        GroupStatus.of("all", [status("us/report/A", 1_000_000, 1), status("us/report/B", 1)]), NOW
    )

    assert (totals["partitions"], totals["chunks"], totals["pending"], totals["coverage_percent"]) == (
        2,
        1_000_001,
        1,
        99.99,
    )
    assert totals["oldest_pending_hours"] == 3.25
    assert coverage_totals(GroupStatus.of("all", []), NOW)["coverage_percent"] == 100
    assert {type(value) for value in totals.values()} == {int, float}


def test_a_table_of_no_groups_has_its_columns() -> None:
    """And no rows."""
    assert coverage_rows("market", [], NOW) == []
    assert list(column_types("market"))[:2] == ["market", "coverage"]
