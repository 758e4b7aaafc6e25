"""Progress bars for runs and backfills. Without a terminal, a line is printed every few seconds instead."""

import time
from enum import Enum

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column
from rich.text import Text

from ..domain.embedder_wait import EmbedderWait
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress, readable_share, readable_speed
from ..domain.wording import readable_seconds
from ..estimates.backfill_time_left import BackfillTimeLeft
from ..translation import ngettext, translate
from .terminal import err

_LINE_SECONDS = 5.0
"""The least time between two lines where no bar can be drawn."""


class _Layout(Enum):
    """What a bar shows, by the columns of the terminal; its value is the least number of them.

    The bar, the percent and the time left stay at any width, and so does the stock code.
    """

    WIDE = 110
    MEDIUM = 70
    NARROW = 0

    @classmethod
    def of(cls, columns: int) -> "_Layout":
        """Choose the layout for so many columns."""
        return next(layout for layout in cls if columns >= layout.value)

    @property
    def bar_columns(self) -> int:
        """The length of a bar."""
        return {_Layout.WIDE: 40, _Layout.MEDIUM: 20, _Layout.NARROW: 10}[self]

    def name_of(self, partition: PartitionKey) -> str:
        """Format the name of a partition: its key where there is room, else the stock code."""
        return str(partition) if self is _Layout.WIDE else partition.stock_code

    def line(self, progress: BatchProgress) -> str:
        """Format what stands beside the bar of a partition, which shows the percent itself."""
        if self is _Layout.WIDE:
            return progress.line()
        left = _time_left(progress.seconds_left)
        if self is _Layout.MEDIUM:
            items = [f"{progress.processed:,}/{progress.total:,}", readable_speed(progress.chunks_per_second), left]
            return " · ".join(filter(None, items))
        return left


def _time_left(seconds: float | None) -> str:
    return "" if seconds is None else translate("{duration} left", duration=readable_seconds(seconds))


class PartitionsProgress:
    """One bar for all partitions and one for the batches of the current partition, whose details stand below.

    What it shows depends on the width of the terminal.

    Args:
        partitions: how many partitions are to be run.
        remaining: their chunks, where they are known: then the bar for all counts chunks and shows the time left.
    """

    def __init__(self, partitions: int, remaining: BackfillTimeLeft | None = None) -> None:
        self._partitions = partitions
        self._remaining = remaining
        self._done = 0
        self._chunks = remaining.chunks if remaining else 0
        self._printed_at = time.monotonic()
        self._layout = _Layout.of(err.width)
        self._bars = _bars(self._layout)
        name = translate("all partitions") if self._layout is _Layout.WIDE else translate("all")
        self._all = self._bars.add_task(name, total=self._chunks or partitions, line="")
        self._current = self._bars.add_task("", total=None, line="", visible=False)
        self._details = Text(style="dim", no_wrap=True, overflow="ellipsis")
        self._live = Live(Group(self._bars, self._details), console=err, transient=True) if err.is_terminal else None

    def __enter__(self) -> "PartitionsProgress":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, partition: PartitionKey) -> None:
        """Show a partition whose number of chunks is not known yet."""
        reading = translate("reading ...")
        name = self._layout.name_of(partition)
        self._bars.reset(self._current, description=name, total=None, line=reading, visible=True)
        self._details.plain = ""

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        """Show the document that is being read or chunked."""
        if self._layout is _Layout.WIDE:
            self._bars.update(self._current, line=source_uri.removeprefix(f"{partition}/"))

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """Show a batch that was committed."""
        line, details = progress.line(), progress.details()
        beside = self._layout.line(progress)
        self._bars.update(self._current, completed=progress.processed, total=progress.total, line=beside)
        self._details.plain = f"  {details}"
        line_of_all = self._update_all(progress.processed, progress.chunks_per_second)
        now = time.monotonic()
        if not err.is_terminal and now - self._printed_at >= _LINE_SECONDS:
            self._printed_at = now
            printed = f"  {partition}  {line} · {details}"
            if line_of_all:
                printed += "  " + translate("(all: {line})", line=line_of_all)
            err.print(printed, markup=False)

    def wait(self, partition: PartitionKey, wait: EmbedderWait) -> None:
        """Show why nothing moves, until the next batch; without a terminal, print it."""
        if err.is_terminal:
            self._details.plain = f"  {wait.line()}"
        else:
            err.print(f"  {partition}  {wait.line()}", markup=False)

    def end(self, line: str) -> None:
        """Print the line that sums up a partition, and count it as done."""
        self._done += 1
        self._update_all()
        err.print(f"[{self._done}/{self._partitions}] {line}", markup=False)

    def _update_all(self, processed: int = 0, chunks_per_second: float = 0.0) -> str:
        """Move the bar for all partitions; return the text beside it."""
        partitions = ngettext(
            "{done:,}/{number:,} partition", "{done:,}/{number:,} partitions", self._partitions, done=self._done
        )
        if self._remaining is None:
            self._bars.update(self._all, completed=self._done, line=partitions)
            return ""
        left = _time_left(self._remaining.seconds_left(processed, chunks_per_second))
        done = self._chunks - self._remaining.chunks + processed
        line = " · ".join(filter(None, [readable_share(done, self._chunks), partitions, left]))
        beside = {
            _Layout.WIDE: line,
            _Layout.MEDIUM: " · ".join(filter(None, [partitions, left])),
            _Layout.NARROW: left,
        }
        self._bars.update(self._all, completed=done, line=beside[self._layout])
        return line


class BackfillBar:
    """One bar for the partitions of a backfill that Dagster runs."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._printed, self._printed_at = "", float("-inf")
        self._layout = _Layout.of(err.width)
        self._bars = _bars(self._layout)
        waiting = translate("waiting for the first run ...")
        self._task = self._bars.add_task(translate("partitions"), total=partitions, line=waiting)

    def __enter__(self) -> "BackfillBar":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, done: int, failed: int, pending: int) -> None:
        """Show how many partitions are done or failed, and how many chunks are pending in all of them."""
        items = [
            ngettext(
                "{done:,}/{number:,} partition done", "{done:,}/{number:,} partitions done", self._partitions, done=done
            ),
            translate("{count:,} failed", count=failed),
            ngettext("{number:,} chunk pending", "{number:,} chunks pending", pending),
        ]
        shown = items[1:] if self._layout is _Layout.NARROW else items
        self._bars.update(self._task, completed=done + failed, line=" · ".join(shown))
        line = "  " + " · ".join(items)
        now = time.monotonic()
        if not err.is_terminal and line != self._printed and now - self._printed_at >= _LINE_SECONDS:
            self._printed, self._printed_at = line, now
            err.print(line)


def _bars(layout: _Layout) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(layout.bar_columns),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[line]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
