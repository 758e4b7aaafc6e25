"""Progress bars for runs and backfills. Without a terminal, a line is printed every few seconds instead."""

import time

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..domain.wording import readable_seconds
from ..estimates.backfill_time_left import BackfillTimeLeft
from ..translation import ngettext, translate
from .terminal import err

_LINE_SECONDS = 5.0
"""The least time between two lines where no bar can be drawn."""


class PartitionsProgress:
    """One bar for all partitions and one for the batches of the current partition, whose details stand below.

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
        self._bars = _bars()
        self._all = self._bars.add_task(translate("all partitions"), total=self._chunks or partitions, line="")
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
        self._bars.reset(self._current, description=str(partition), total=None, line=reading, visible=True)
        self._details.plain = ""

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        """Show the document that is being read or chunked."""
        self._bars.update(self._current, line=source_uri.removeprefix(f"{partition}/"))

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """Show a batch that was committed."""
        line, details = progress.line(), progress.details()
        self._bars.update(self._current, completed=progress.processed, total=progress.total, line=line)
        self._details.plain = f"  {details}"
        line_of_all = self._update_all(progress.processed, progress.chunks_per_second)
        now = time.monotonic()
        if not err.is_terminal and now - self._printed_at >= _LINE_SECONDS:
            self._printed_at = now
            printed = f"  {partition}  {line} · {details}"
            if line_of_all:
                printed += "  " + translate("(all: {line})", line=line_of_all)
            err.print(printed, markup=False)

    def end(self, line: str) -> None:
        """Print the line that sums up a partition, and count it as done."""
        self._done += 1
        self._update_all()
        err.print(f"[{self._done}/{self._partitions}] {line}", markup=False)

    def _update_all(self, processed: int = 0, chunks_per_second: float = 0.0) -> str:
        """Move the bar for all partitions; return the text beside it."""
        if self._remaining is None:
            self._bars.update(self._all, completed=self._done)
            return ""
        seconds = self._remaining.seconds_left(processed, chunks_per_second)
        line = ngettext(
            "{done:,}/{number:,} partition", "{done:,}/{number:,} partitions", self._partitions, done=self._done
        )
        if seconds is not None:
            line += " · " + translate("{duration} left", duration=readable_seconds(seconds))
        self._bars.update(self._all, completed=self._chunks - self._remaining.chunks + processed, line=line)
        return line


class BackfillBar:
    """One bar for the partitions of a backfill that Dagster runs."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._printed, self._printed_at = "", float("-inf")
        self._bars = _bars()
        waiting = translate("waiting for the first run ...")
        self._task = self._bars.add_task(translate("partitions"), total=partitions, line=waiting)

    def __enter__(self) -> "BackfillBar":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def update(self, done: int, failed: int, pending: int) -> None:
        """Show how many partitions are done or failed, and how many chunks are pending in all of them."""
        line = translate("{count:,} failed", count=failed) + " · "
        line += ngettext("{number:,} chunk pending", "{number:,} chunks pending", pending)
        self._bars.update(self._task, completed=done + failed, line=line)
        line_of_done = ngettext(
            "{done:,}/{number:,} partition done", "{done:,}/{number:,} partitions done", self._partitions, done=done
        )
        line = f"  {line_of_done} · {line}"
        now = time.monotonic()
        if not err.is_terminal and line != self._printed and now - self._printed_at >= _LINE_SECONDS:
            self._printed, self._printed_at = line, now
            err.print(line)


def _bars() -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[line]}"),
    )
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
