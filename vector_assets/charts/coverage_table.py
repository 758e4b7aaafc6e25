"""Turn coverage into the totals and the table rows that `gold/coverage` shows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ..domain.coverage import GroupStatus
from ..domain.wording import readable_seconds

Row = Mapping[str, str | int]

# A table in an event is read whole with its page; `vector-assets status --json` has every partition.
MAX_ROWS = 20

_LAST_RUN = "last run (UTC)"


def coverage_totals(whole: GroupStatus, now: datetime) -> Mapping[str, int | float]:
    """Return the sums over all partitions; Dagster plots them over time, for they are ints and floats."""
    return {
        "coverage_percent": round(100 * whole.rounded_coverage, 2),
        "chunks": whole.chunks,
        "current": whole.current,
        "pending": whole.pending,
        "quarantined": whole.quarantined,
        "partitions": whole.partitions,
        "oldest_pending_hours": round(whole.seconds_pending(now) / 3600, 2),
        "truncated_chunks": whole.token_totals.truncated_chunks,
        "tokens_lost_share": round(whole.token_totals.lost_share, 4),
    }


def column_types(title: str) -> Mapping[str, str]:
    """Return the table's columns with their Dagster types; `title` heads the first one.

    What matters most comes first: a small screen does not show the last columns.
    """
    return {
        title: "string",
        "coverage": "string",
        "oldest pending": "string",
        "pending": "int",
        "quarantined": "int",
        "current": "int",
        "chunks": "int",
        "truncated": "int",
        "tokens lost": "string",
        "chunks/s": "string",
        _LAST_RUN: "string",
    }


def coverage_rows(title: str, groups: Sequence[GroupStatus], now: datetime) -> list[Row]:
    """Return a row per group, those first that lack most chunks; the last row of a long table sums up the rest."""
    ordered = sorted(groups, key=lambda group: (group.current - group.chunks, group.name))
    shown, rest = ordered[:MAX_ROWS], ordered[MAX_ROWS:]
    if rest:
        incomplete = sum(group.current < group.chunks for group in rest)
        shown.append(GroupStatus.of(f"{len(rest):,} more, {incomplete:,} of them incomplete", rest))
    return [_row(title, group, now) for group in shown]


def _row(title: str, group: GroupStatus, now: datetime) -> Row:
    run = group.last_run
    return {
        title: group.name,
        "coverage": group.coverage_percent,
        "oldest pending": readable_seconds(group.seconds_pending(now)) if group.pending_since else "",
        "pending": group.pending,
        "quarantined": group.quarantined,
        "current": group.current,
        "chunks": group.chunks,
        "truncated": group.token_totals.truncated_chunks,
        "tokens lost": f"{group.token_totals.lost_share:.1%}",
        "chunks/s": f"{run.chunks_per_second:,.0f}" if run else "",
        # A date and not an age, for nobody knows when it will be read. At the blank the line is not broken.
        _LAST_RUN: f"{run.ended_at.astimezone(UTC):%Y-%m-%d\N{NO-BREAK SPACE}%H:%M}" if run else "",
    }
