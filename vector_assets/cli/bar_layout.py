"""How bars look, by the width of the terminal."""

from enum import Enum

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column

from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress, readable_speed
from ..domain.wording import readable_seconds
from ..translation import translate

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
        return {Layout.WIDE: 40, Layout.MEDIUM: 20, Layout.NARROW: 10}[self]

    def name_of(self, partition: PartitionKey) -> str:
        """Format the name of a partition: its key where there is room, else the stock code."""
        return str(partition) if self is Layout.WIDE else partition.stock_code

    def line(self, progress: BatchProgress) -> str:
        """Format what stands beside the bar of a partition, which shows the percent itself."""
        if self is Layout.WIDE:
            return progress.line()
        left = time_left(progress.seconds_left)
        if self is Layout.MEDIUM:
            items = [f"{progress.processed:,}/{progress.total:,}", readable_speed(progress.chunks_per_second), left]
            return " · ".join(filter(None, items))
        return left


def time_left(seconds: float | None) -> str:
    """Format the time left; empty where it is not known."""
    return "" if seconds is None else translate("{duration} left", duration=readable_seconds(seconds))


def progress_bars(layout: Layout, console: Console) -> Progress:
    """Make bars that the caller adds tasks to; each has a field `line`, which stands beside its percent."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(layout.bar_columns),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[line]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
