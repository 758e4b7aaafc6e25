"""What a person sees: tables, a spinner for what takes a moment, and progress bars for what takes longer."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from ..domain.coverage import GroupBy, GroupStatus
from ..domain.documents import DocumentRejection
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..domain.wording import readable_age, readable_seconds
from ..estimates.backfill_time_left import BackfillTimeLeft

_LINE_SECONDS = 5.0
"""Between two progress lines where there is no terminal to draw a bar on."""

NOTICE_SECONDS = 2.0
"""After which silence a line says what takes so long, where there is no terminal to draw a spinner on."""

# Results go to stdout, so that they can be piped; whatever tells of the work goes to stderr.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner while something takes a moment; where there is no terminal, a line if it takes longer."""
    if err.is_terminal:
        with err.status(f"{what} ..."):
            yield
        return
    line = threading.Timer(NOTICE_SECONDS, err.print, [f"{what} ..."])
    line.daemon = True
    line.start()
    try:
        yield
    finally:
        line.cancel()


@contextmanager
def saying(logger: str) -> Iterator[None]:
    """Print what a logger says of its work, e.g. that a model is converted for the first time."""
    heard = logging.getLogger(logger)
    handler, level = _Printed(), heard.level
    heard.addHandler(handler)
    heard.setLevel(logging.INFO)
    try:
        yield
    finally:
        heard.removeHandler(handler)
        heard.setLevel(level)


class _Printed(logging.Handler):
    """INFO only: warnings have their own way to the terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.INFO:
            err.print(record.getMessage(), markup=False)


class PartitionsProgress:
    """Bars for all partitions and for the batches of the one at work, with the figures of that below them.

    Without a terminal, a line now and then.

    Args:
        partitions: how many have their turn.
        remaining: what is before them, where that is known; then the bar for all goes by chunks, with the time left.
    """

    def __init__(self, partitions: int, remaining: BackfillTimeLeft | None = None) -> None:
        self._partitions = partitions
        self._remaining = remaining
        self._done = 0
        self._chunks = remaining.chunks if remaining else 0
        self._printed_at = time.monotonic()
        self._bars = _bars()
        self._all = self._bars.add_task("all partitions", total=self._chunks or partitions, line="")
        self._one = self._bars.add_task("", total=None, line="", visible=False)
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
        """A partition's turn has come; its number of chunks is not known yet."""
        self._bars.reset(self._one, description=str(partition), total=None, line="reading ...", visible=True)
        self._details.plain = ""

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        """A document is being read or cut."""
        self._bars.update(self._one, line=source_uri.removeprefix(f"{partition}/"))

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """A batch was committed."""
        self._bars.update(self._one, completed=progress.processed, total=progress.total, line=progress.line())
        self._details.plain = f"  {progress.details()}"
        whole = self._show_all(progress.processed, progress.chunks_per_second)
        now = time.monotonic()
        if not err.is_terminal and now - self._printed_at >= _LINE_SECONDS:
            self._printed_at = now
            line = f"  {partition}  {progress.line()} · {progress.details()}"
            err.print(line + (f"  (all: {whole})" if whole else ""), markup=False)

    def end(self, line: str) -> None:
        """A partition is done; `line` says how."""
        self._done += 1
        self._show_all()
        err.print(f"[{self._done}/{self._partitions}] {line}", markup=False)

    def _show_all(self, processed: int = 0, chunks_per_second: float = 0.0) -> str:
        """Move the bar for all on; gives what stands beside it."""
        if self._remaining is None:
            self._bars.update(self._all, completed=self._done)
            return ""
        seconds = self._remaining.seconds_left(processed, chunks_per_second)
        line = f"{self._done:,}/{self._partitions:,} partitions"
        line += f" · {readable_seconds(seconds)} left" if seconds is not None else ""
        self._bars.update(self._all, completed=self._chunks - self._remaining.chunks + processed, line=line)
        return line


class BackfillBar:
    """What a backfill that Dagster does has brought about; without a terminal, a line now and then."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._printed, self._printed_at = "", float("-inf")
        self._bars = _bars()
        self._task = self._bars.add_task("partitions", total=partitions, line="waiting for the first run ...")

    def __enter__(self) -> "BackfillBar":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def look(self, done: int, failed: int, pending: int) -> None:
        """So many partitions are done or failed, and so many chunks of them all are pending."""
        line = f"{failed:,} failed · {pending:,} chunks pending"
        self._bars.update(self._task, completed=done + failed, line=line)
        line = f"  {done:,}/{self._partitions:,} partitions done · {line}"
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


def print_coverage(groups: Sequence[GroupStatus], by: GroupBy = GroupBy.PARTITION) -> None:
    """One row a group, and their sum."""
    now = datetime.now(UTC)
    rows = [(group.name, *_cells(group, now)) for group in groups]
    whole = GroupStatus.of("", groups)
    if len(groups) > 1:
        rows.append((f"{whole.partitions:,} partitions", *_cells(whole, now)))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, cells in zip((by.value, *_COLUMNS), zip(*rows, strict=True), strict=True):
        # In full, however narrow the window is: half a number is none.
        width = max(len(cell) for cell in (name, *cells))
        table.add_column(name, min_width=width, justify="left" if name == by.value else "right")
    for number, row in enumerate(rows):
        table.add_row(*row, end_section=number == len(groups) - 1)
    out.print(table)


_COLUMNS = ("chunks", "current", "pending", "quarantined", "coverage", "oldest pending", "last run", "chunks/s")


def _cells(group: GroupStatus, now: datetime) -> tuple[str, ...]:
    run = group.last_run
    return (
        *(f"{count:,}" for count in (group.chunks, group.current, group.pending, group.quarantined)),
        group.coverage_percent,
        readable_seconds(group.seconds_pending(now)) if group.pending_since else "",
        readable_age(run.ended_at, now) if run else "",
        f"{run.chunks_per_second:,.0f}" if run else "",
    )


def print_skipped(rejections: Sequence[DocumentRejection]) -> None:
    """Each document that could not be used, with the mend."""
    for rejection in rejections:
        click.echo(f"skipped: {rejection.message}", err=True)
