"""The two consoles of a command, and short notices on them."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console

from ..domain.documents import DocumentRejection
from ..domain.folded_reasons import folded_reasons
from ..translation import translate
from .wrapped_text import wrapped

NOTICE_SECONDS = 2.0
"""Where no spinner can be drawn, work that takes longer than this is announced on a line."""

_LEAST_WIDTH = 20

# Results go to stdout, so that they can be piped. Progress, notices and warnings go to stderr.
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def working(notice: str) -> Iterator[None]:
    """Show a spinner with a notice while something takes a moment; without a terminal, a line if it takes longer."""
    if err.is_terminal:
        with err.status(f"{notice} ..."):
            yield
        return
    line = threading.Timer(NOTICE_SECONDS, err.print, [f"{notice} ..."])
    line.daemon = True
    line.start()
    try:
        yield
    finally:
        line.cancel()


@contextmanager
def log_printed(logger_name: str) -> Iterator[None]:
    """Print the INFO lines of a logger, e.g. that a model is being converted for the first time."""
    logger = logging.getLogger(logger_name)
    handler, level = _InfoPrinter(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _InfoPrinter(logging.Handler):
    """Prints INFO only, because warnings reach the terminal without it."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.INFO:
            err.print(record.getMessage(), markup=False)


def print_prose(line: str, console: Console = out, indent: str = "") -> None:
    """Print a line; at a terminal that is narrower, print several, wrapped at blanks and indented from the second on.

    It is for lines without commands, because a command must be copied as one line.
    """
    if not console.is_terminal:
        console.print(line, markup=False)
        return
    for number, part in enumerate(wrapped(line, max(console.width - len(indent), _LEAST_WIDTH))):
        console.print(f"{indent if number else ''}{part}", markup=False)


def print_warning(line: str) -> None:
    """Print a line that the user should read although the command goes on."""
    click.echo(translate("warning: {line}", line=line), err=True)


def print_skipped(rejections: Sequence[DocumentRejection], manifest_rows: int) -> None:
    """Print which documents could not be used, with the reason and the fix."""
    for reason in folded_reasons(rejections, manifest_rows):
        click.echo(translate("skipped: {reason}", reason=reason), err=True)


def print_no_chunks() -> None:
    """Print that the database has no chunks yet, and how to add some."""
    click.echo(translate("No chunks yet. Put filings into the database with: vector-assets ingest DIR"))
