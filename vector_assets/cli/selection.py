"""Which partitions a person means: by pattern, market, company or doc type."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from typing import Any

import click

from ..domain.coverage import PartitionStatus
from ..domain.partition_keys import PartitionKey, PartitionPattern
from ..errors import NothingMatches

_OPTIONS = {
    "--market": ("markets", "A market, e.g. us. May be given again."),
    "--company": ("companies", "A stock code, in all markets and doc types, e.g. AAPL. May be given again."),
    "--doc-type": ("doc_types", "A doc type, e.g. annual_report. May be given again."),
}


@dataclass(frozen=True)
class Selection:
    """Partitions that fit any of the patterns and have one of the markets, companies and doc types; () means any."""

    patterns: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    companies: tuple[str, ...] = ()
    doc_types: tuple[str, ...] = ()

    def as_typed(self) -> str:
        """How it is written after a command, a blank in front; nothing for all partitions."""
        options = (("--market", self.markets), ("--company", self.companies), ("--doc-type", self.doc_types))
        words = [*self.patterns, *(word for option, names in options for name in names for word in (option, name))]
        return "".join(f" {shlex.quote(word)}" for word in words)


def partition_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command PATTERN... and the options; it is called with one `selection`."""

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
    """Those that are meant, in the order given.

    Raises:
        InvalidPattern: one has not the form of a partition key.
        NothingMatches: a pattern or a name fits no partition, or all of it together; the message names the nearest.
    """
    keys = [status.partition for status in statuses]
    patterns = [PartitionPattern.parse(text) for text in selection.patterns]
    for text, pattern in zip(selection.patterns, patterns, strict=True):
        if not any(pattern.matches(key) for key in keys):
            raise _nothing("matches", text, {str(key) for key in keys})
    wanted = [
        _known("is of the market", selection.markets, keys, lambda key: key.market),
        _known("is of the company", selection.companies, keys, lambda key: key.stock_code),
        _known("is of the doc type", selection.doc_types, keys, lambda key: key.doc_type),
    ]

    def is_meant(key: PartitionKey) -> bool:
        of_pattern = not patterns or any(pattern.matches(key) for pattern in patterns)
        return of_pattern and all(not names or name_of(key) in names for names, name_of in wanted)

    found = [status for status in statuses if is_meant(status.partition)]
    if statuses and not found:
        given = (selection.patterns, selection.markets, selection.companies, selection.doc_types)
        raise NothingMatches("is all of", " and ".join(name for names in given for name in names), (), bool(keys))
    return found


def _known(
    what: str, names: tuple[str, ...], keys: Sequence[PartitionKey], name_of: Callable[[PartitionKey], str]
) -> tuple[tuple[str, ...], Callable[[PartitionKey], str]]:
    present = {name_of(key) for key in keys}
    for name in names:
        if name not in present:
            raise _nothing(what, name, present)
    return names, name_of


def _nothing(what: str, text: str, present: set[str]) -> NothingMatches:
    """With the nearest of those there are; letter case makes no distance."""
    folded = {name.lower(): name for name in sorted(present, reverse=True)}
    nearest = [folded[name] for name in get_close_matches(text.lower(), sorted(folded), n=3, cutoff=0.4)]
    return NothingMatches(what, text, nearest, bool(present))
