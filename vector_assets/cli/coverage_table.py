"""The table of `vector-assets status` and `vector-assets demo`: how complete the partitions are."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.text import Text

from ..domain.coverage import GroupBy, GroupStatus
from ..domain.wording import readable_age, readable_seconds
from ..translation import marked, ngettext, translate
from .fitting_table import print_fitting
from .terminal import out

_NAME_HEADERS = {
    GroupBy.PARTITION: marked("partition"),
    GroupBy.MARKET: marked("market"),
    GroupBy.DOC_TYPE: marked("doc type"),
    GroupBy.COMPANY: marked("company"),
}
_HEADERS = (
    marked("chunks"),
    marked("current"),
    marked("pending"),
    marked("quarantined"),
    marked("coverage"),
    marked("oldest pending"),
    marked("last run"),
    marked("chunks/s"),
)
# The columns that a narrow terminal does without, the first ones first.
_DISPENSABLE = ("chunks/s", "last run", "current", "oldest pending", "quarantined")
# Below so many columns a group takes two lines: its name, and its figures.
_LEAST_COLUMNS = 60


def print_coverage(groups: Sequence[GroupStatus], by: GroupBy = GroupBy.PARTITION) -> None:
    """Print one row per group, and their sum. It fits the terminal; what is piped has all columns and no padding."""
    now = datetime.now(UTC)
    shown = list(groups)
    if len(groups) > 1:
        partitions = sum(group.partitions for group in groups)
        shown.append(GroupStatus.of(ngettext("{number:,} partition", "{number:,} partitions", partitions), groups))
    if out.is_terminal and out.width < _LEAST_COLUMNS:
        for group in shown:
            out.print(group.name, _figures(group), sep="\n  ", markup=False)
        return
    headers = {header: translate(header) for header in (_NAME_HEADERS[by], *_HEADERS)}
    rows = [[Text(group.name), *_cells(group, now)] for group in shown]
    print_fitting(out, headers, rows, _DISPENSABLE, has_sum=len(groups) > 1)


def _cells(group: GroupStatus, now: datetime) -> list[Text]:
    run = group.last_run
    return [
        Text(f"{group.chunks:,}"),
        Text(f"{group.current:,}"),
        Text(f"{group.pending:,}", "yellow" if group.pending else ""),
        Text(f"{group.quarantined:,}", "red" if group.quarantined else ""),
        Text(group.coverage_percent, "green" if group.current == group.chunks else "yellow"),
        Text(readable_seconds(group.seconds_pending(now)) if group.pending_since else ""),
        Text(readable_age(run.ended_at, now) if run else ""),
        Text(f"{run.chunks_per_second:,.0f}" if run else ""),
    ]


def _figures(group: GroupStatus) -> str:
    """Format the figures of a group as one short line."""
    items = [
        translate(
            "{current:,}/{chunks:,} ({coverage})",
            current=group.current,
            chunks=group.chunks,
            coverage=group.coverage_percent,
        )
    ]
    if group.pending:
        items.append(translate("{count:,} pending", count=group.pending))
    if group.quarantined:
        items.append(translate("{count:,} quarantined", count=group.quarantined))
    return " · ".join(items)
