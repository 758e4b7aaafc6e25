"""The table of `vector-assets status` and `vector-assets demo`: how complete the partitions are."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table

from ..domain.coverage import GroupBy, GroupStatus
from ..domain.wording import readable_age, readable_seconds
from ..translation import marked, ngettext, translate
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


def print_coverage(groups: Sequence[GroupStatus], by: GroupBy = GroupBy.PARTITION) -> None:
    """Print one row per group, and their sum."""
    now = datetime.now(UTC)
    rows = [(group.name, *_cells(group, now)) for group in groups]
    if len(groups) > 1:
        total = GroupStatus.of("", groups)
        name = ngettext("{number:,} partition", "{number:,} partitions", total.partitions)
        rows.append((name, *_cells(total, now)))
    headers = [translate(header) for header in (_NAME_HEADERS[by], *_HEADERS)]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, (header, cells) in enumerate(zip(headers, zip(*rows, strict=True), strict=True)):
        # A number is shown whole, however narrow the window is. Chinese characters are two cells wide.
        width = max(cell_len(cell) for cell in (header, *cells))
        table.add_column(header, min_width=width, justify="left" if number == 0 else "right")
    for number, row in enumerate(rows):
        table.add_row(*row, end_section=number == len(groups) - 1)
    out.print(table)


def _cells(group: GroupStatus, now: datetime) -> tuple[str, ...]:
    run = group.last_run
    return (
        *(f"{count:,}" for count in (group.chunks, group.current, group.pending, group.quarantined)),
        group.coverage_percent,
        readable_seconds(group.seconds_pending(now)) if group.pending_since else "",
        readable_age(run.ended_at, now) if run else "",
        f"{run.chunks_per_second:,.0f}" if run else "",
    )
