"""Progress bars for the runs of a command. Without a terminal, a line is printed every few seconds instead."""

import time
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group
from rich.live import Live
from rich.text import Text

from ..domain.embedder_wait import EmbedderWait
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress, readable_share
from ..estimates.backfill_time_left import BackfillTimeLeft
from ..translation import ngettext, translate
from .bar_layout import LINE_SECONDS, Layout, fitting, progress_bars, room_beside, shortened, time_left
from .terminal import err, print_prose


class PartitionsProgress:
    """One bar for all partitions and one for the batches of the current partition, whose details stand below.

    What it shows depends on the width of the terminal.

    Args:
        partitions: those that are to be run.
        remaining: their chunks, where they are known: then the bar for all counts chunks and shows the time left.
    """

    def __init__(self, partitions: Sequence[PartitionKey], remaining: BackfillTimeLeft | None = None) -> None:
        self._partitions = len(partitions)
        self._remaining = remaining
        self._done = 0
        self._chunks = remaining.chunks if remaining else 0
        self._printed_at = time.monotonic()
        self._layout = Layout.of(err.width)
        name = translate("all partitions") if self._layout is Layout.WIDE else translate("all")
        longest = max(cell_len(shown) for shown in (name, *map(self._layout.name_of, partitions)))
        self._room = room_beside(self._layout, err, longest)
        self._bars = progress_bars(self._layout, err, longest)
        self._all = self._bars.add_task(name, total=self._chunks or self._partitions, line="")
        self._current = self._bars.add_task("", total=None, line="", visible=False)
        if remaining is not None:
            self._update_all()
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
        if self._layout is Layout.WIDE:
            self._bars.update(self._current, line=source_uri.removeprefix(f"{partition}/"))

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """Show a batch that was committed."""
        line, details = progress.line(), progress.details()
        beside = fitting(self._layout.items(progress), self._room)
        self._bars.update(self._current, completed=progress.processed, total=progress.total, line=beside)
        self._details.plain = f"  {shortened(details, err.width - 2)}"
        line_of_all = self._update_all(progress)
        now = time.monotonic()
        if not err.is_terminal and now - self._printed_at >= LINE_SECONDS:
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
        print_prose(f"[{self._done}/{self._partitions}] {line}", err, indent="  ")

    def _update_all(self, progress: BatchProgress | None = None) -> str:
        """Move the bar for all partitions; return the text beside it."""
        partitions = ngettext(
            "{done:,}/{number:,} partition", "{done:,}/{number:,} partitions", self._partitions, done=self._done
        )
        if self._remaining is None:
            self._bars.update(self._all, completed=self._done, line=partitions)
            return ""
        left = time_left(self._remaining.seconds_left(progress))
        done = self._chunks - self._remaining.chunks + (progress.processed if progress else 0)
        share = readable_share(done, self._chunks)
        beside = {
            Layout.WIDE: [share, partitions, left],
            Layout.MEDIUM: [partitions, left],
            Layout.NARROW: [left],
        }
        self._bars.update(self._all, completed=done, line=fitting(beside[self._layout], self._room))
        return " · ".join(filter(None, beside[Layout.WIDE]))
