"""The bar of a backfill that Dagster runs, and below it what each run under way reports."""

import time

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ..domain.partition_keys import PartitionKey
from ..domain.progress import readable_share, readable_speed
from ..domain.runs_at_work import RunAtWork
from ..estimates.launched_backfill import LaunchedBackfill
from ..translation import ngettext, translate
from .bar_layout import LINE_SECONDS, Layout, fitting, progress_bars, room_beside, time_left
from .terminal import err

_MOST_RUNS = 6


class LaunchedBars:
    """Shows how far a launched backfill is. Without a terminal, lines are printed every few seconds instead.

    Args:
        partitions: how many it has.
        console: where to.
    """

    def __init__(self, partitions: int, console: Console = err) -> None:
        self._partitions = partitions
        self._console = console
        self._printed, self._printed_at = "", float("-inf")
        self._layout = Layout.of(console.width)
        waiting = translate("waiting for the first run ...")
        name = translate("all partitions") if self._layout is Layout.WIDE else translate("all")
        self._room = room_beside(self._layout, console, cell_len(name))
        self._bars = progress_bars(self._layout, console)
        self._all = self._bars.add_task(name, total=None, line=waiting)
        self._runs = Text(style="dim", no_wrap=True, overflow="ellipsis")
        self._live = Live(Group(self._bars, self._runs), console=console, transient=True)

    def __enter__(self) -> "LaunchedBars":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def update(self, done: int, failed: int, backfill: LaunchedBackfill) -> None:
        """Show how many partitions are done or failed, and how far the runs are."""
        partitions = ngettext(
            "{done:,}/{number:,} partition", "{done:,}/{number:,} partitions", self._partitions, done=done
        )
        failures = translate("{count:,} failed", count=failed) if failed else ""
        share, left = readable_share(backfill.processed, backfill.total), time_left(backfill.seconds_left)
        speed = readable_speed(backfill.chunks_per_second) if backfill.at_work else ""
        shown = {
            Layout.WIDE: [share, partitions, failures, speed, left],
            Layout.MEDIUM: [partitions, failures, left],
            Layout.NARROW: [failures, left],
        }
        runs = [self._line(run) for run in backfill.at_work[:_MOST_RUNS]]
        if self._console.is_terminal:
            line = fitting(shown[self._layout], self._room)
            self._bars.update(self._all, completed=backfill.processed, total=backfill.total, line=line)
            self._runs.plain = "\n".join(runs)
        else:
            self._print("\n".join(["  " + " · ".join(filter(None, shown[Layout.WIDE])), *runs]))

    def _line(self, run: RunAtWork) -> str:
        if self._layout is not Layout.WIDE:
            return f"  {PartitionKey.parse(run.partition).stock_code}  {run.processed:,}/{run.total:,}"
        # A run over several partitions says itself which one it is at.
        return f"  {run.line}" if run.partition in run.line else f"  {run.partition}  {run.line}"

    def _print(self, lines: str) -> None:
        now = time.monotonic()
        if lines != self._printed and now - self._printed_at >= LINE_SECONDS:
            self._printed, self._printed_at = lines, now
            self._console.print(lines, markup=False)
