"""What a person sees: tables, a spinner for what takes a moment, and progress bars for what takes longer."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Column, Table

from ..domain import BatchProgress, DocumentRejection, PartitionKey, PartitionStatus

_LINE_SECONDS = 5.0
"""Between two progress lines where there is no terminal to draw a bar on."""

_MOMENT_SECONDS = 2.0
"""Silence that nobody wonders about."""

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
    line = threading.Timer(_MOMENT_SECONDS, err.print, [f"{what} ..."])
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
    """Partitions done and, for the one at work, its batches: bars on a terminal, else a line now and then."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._done = 0
        self._printed_at = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[line]}"),
        )
        self._bars = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
        self._all = self._bars.add_task("partitions", total=partitions, line="")
        self._one = self._bars.add_task("", total=None, line="", visible=False)

    def __enter__(self) -> "PartitionsProgress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def begin(self, partition: PartitionKey) -> None:
        """A partition's turn has come; its number of chunks is not known yet."""
        self._bars.reset(self._one, description=str(partition), total=None, line="reading ...", visible=True)

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        """A document is being read or cut."""
        self._bars.update(self._one, line=source_uri.removeprefix(f"{partition}/"))

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """A batch was committed."""
        self._bars.update(self._one, completed=progress.processed, total=progress.total, line=progress.line())
        now = time.monotonic()
        if not err.is_terminal and now - self._printed_at >= _LINE_SECONDS:
            self._printed_at = now
            err.print(f"  {partition}  {progress.line()}")

    def end(self, line: str) -> None:
        """A partition is done; `line` says how."""
        self._done += 1
        self._bars.update(self._all, completed=self._done)
        err.print(f"[{self._done}/{self._partitions}] {line}", markup=False)


def print_coverage(statuses: Sequence[PartitionStatus]) -> None:
    """One row a partition, and their sum."""
    numbers = [Column(name, justify="right") for name in ("chunks", "current", "pending", "quarantined", "coverage")]
    names = Column("partition", min_width=max((len(str(status.partition)) for status in statuses), default=0))
    table = Table(names, *numbers, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for status in statuses:
        table.add_row(str(status.partition), *_counts(status))
    if len(statuses) > 1:
        table.add_section()
        whole = PartitionStatus(
            statuses[0].partition,
            sum(status.chunks for status in statuses),
            sum(status.pending for status in statuses),
            sum(status.quarantined for status in statuses),
            None,
        )
        table.add_row(f"{len(statuses):,} partitions", *_counts(whole))
    out.print(table)


def _counts(status: PartitionStatus) -> list[str]:
    counts = (status.chunks, status.current, status.pending, status.quarantined)
    return [*(f"{count:,}" for count in counts), f"{_floor_percent(status.coverage):.1f}%"]


def _floor_percent(share: float) -> float:
    """Rounded down, so that 100.0 % is said of nothing less."""
    return int(share * 1000) / 10


def print_skipped(rejections: Sequence[DocumentRejection]) -> None:
    """Each document that could not be used, with the mend."""
    for rejection in rejections:
        click.echo(f"skipped: {rejection.message}", err=True)
