"""Select partitions by pattern, market, company or document type."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from ..domain.coverage import PartitionStatus
from ..domain.partition_selection import Selection

__all__ = ["Selection", "partition_options", "selected"]

_OPTIONS = {
    "--market": ("markets", "A market, e.g. us. Can be repeated."),
    "--company": ("companies", "A stock code, in all markets and document types, e.g. AAPL. Can be repeated."),
    "--doc-type": ("doc_types", "A document type, e.g. annual_report. Can be repeated."),
}


def partition_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments PATTERN... and the options to a command, which gets them as one `selection`."""

    @wraps(command)
    def with_selection(*args: Any, patterns: tuple[str, ...], **options: Any) -> Any:
        names = [name for name, _ in _OPTIONS.values()]
        selection = Selection(patterns, **{name: options.pop(name) for name in names})
        return command(*args, selection=selection, **options)

    decorated: Callable[..., Any] = with_selection
    for option, (name, text) in reversed(_OPTIONS.items()):
        decorated = click.option(option, name, multiple=True, help=text)(decorated)
    return click.argument("patterns", metavar="[PATTERN]...", nargs=-1)(decorated)


def selected(statuses: Sequence[PartitionStatus], selection: Selection) -> list[PartitionStatus]:
    """Return the selected partitions, in the order given.

    Raises:
        InvalidPattern: a pattern does not have the form of a partition key.
        NothingMatches: a pattern, a name, or all of them together match no partition; the message has the nearest.
    """
    chosen = set(selection.of([status.partition for status in statuses]))
    return [status for status in statuses if status.partition in chosen]
