"""How bars look, by the width of the terminal."""

from collections.abc import Sequence
from enum import Enum

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column

from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress, readable_speed
from ..domain.wording import readable_seconds
from ..translation import translate

_DIVIDER = " · "

# What is beside the name, the bar and the line: the sign that turns, `100%`, and a blank between each two columns.
_SPINNER_COLUMNS, _PERCENT_COLUMNS, _GAPS = 1, 4, 4

LINE_SECONDS = 5.0
"""The least time between two lines where no bar can be drawn."""


class Layout(Enum):
    """What a bar shows, by the columns of the terminal; its value is the least number of them.

    The bar, the percent and the time left stay at any width, and so does the stock code.
    """

    WIDE = 110
    MEDIUM = 70
    NARROW = 0

    @classmethod
    def of(cls, columns: int) -> "Layout":
        """Choose the layout for so many columns."""
        return next(layout for layout in cls if columns >= layout.value)

    @property
    def bar_columns(self) -> int:
        """The length of a bar."""
        return 10 if self is Layout.NARROW else 16

    def name_of(self, partition: PartitionKey) -> str:
        """Format the name of a partition: its key where there is room, else the stock code."""
        return str(partition) if self is Layout.WIDE else partition.stock_code

    def items(self, progress: BatchProgress) -> list[str]:
        """List what stands beside the bar of a partition, which shows the percent itself; the time left comes last."""
        left = time_left(progress.seconds_left)
        if self is Layout.NARROW:
            return [left]
        counts = f"{progress.processed:,}/{progress.total:,}"
        batch = [progress.batch_line()] if self is Layout.WIDE else []
        return [*batch, counts, readable_speed(progress.chunks_per_second), left]


def time_left(seconds: float | None) -> str:
    """Format the time left; empty where it is not known."""
    return "" if seconds is None else translate("{duration} left", duration=readable_seconds(seconds))


def fitting(items: Sequence[str], columns: int) -> str:
    """Join the items that are not empty; where there is no room for all, the first ones are left out."""
    kept = [item for item in items if item]
    while len(kept) > 1 and cell_len(_DIVIDER.join(kept)) > columns:
        kept = kept[1:]
    return _DIVIDER.join(kept)


def shortened(line: str, columns: int) -> str:
    """Leave out the last items of a line for which there is no room."""
    while _DIVIDER in line and cell_len(line) > columns:
        line = line.rpartition(_DIVIDER)[0]
    return line


def room_beside(layout: Layout, console: Console, name_columns: int) -> int:
    """Count the columns that are left beside a bar: a line that takes more would make the bar shorter."""
    return console.width - _SPINNER_COLUMNS - name_columns - layout.bar_columns - _PERCENT_COLUMNS - _GAPS


def progress_bars(layout: Layout, console: Console, name_columns: int = 0) -> Progress:
    """Make bars that the caller adds tasks to; each has a field `line`, which stands beside its percent.

    Names take at least `name_columns`, so that the bars stay at their place when a longer one comes.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=name_columns)),
        BarColumn(layout.bar_columns),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[line]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
