"""Select partitions by pattern, market, company or document type."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import wraps
from typing import Any

import click

from ..domain.coverage import PartitionStatus
from ..domain.partition_keys import PartitionKey
from ..domain.partition_patterns import PartitionPattern
from ..errors import NothingMatches

_OPTIONS = {
    "--market": ("markets", "A market, e.g. us. Can be repeated."),
    "--company": ("companies", "A stock code, in all markets and document types, e.g. AAPL. Can be repeated."),
    "--doc-type": ("doc_types", "A document type, e.g. annual_report. Can be repeated."),
}


@dataclass(frozen=True)
class Selection:
    """Partitions that match any of the patterns and have one of the markets, companies and doc types; () means any."""

    patterns: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    companies: tuple[str, ...] = ()
    doc_types: tuple[str, ...] = ()

    def as_typed(self) -> str:
        """Write the selection as arguments of a command, each after a blank; nothing for all partitions."""
        options = (("--market", self.markets), ("--company", self.companies), ("--doc-type", self.doc_types))
        words = [*self.patterns, *(word for option, names in options for name in names for word in (option, name))]
        return "".join(f" {shlex.quote(word)}" for word in words)


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
    keys = [status.partition for status in statuses]
    patterns = [PartitionPattern.parse(text) for text in selection.patterns]
    for text, pattern in zip(selection.patterns, patterns, strict=True):
        if not any(pattern.matches(key) for key in keys):
            raise _nothing_matches(text, text, _comparable(keys, text))
    wanted = [
        _known("--market", selection.markets, keys, lambda key: key.market),
        _known("--company", selection.companies, keys, lambda key: key.stock_code),
        _known("--doc-type", selection.doc_types, keys, lambda key: key.doc_type),
    ]

    def is_selected(key: PartitionKey) -> bool:
        matches_pattern = not patterns or any(pattern.matches(key) for pattern in patterns)
        return matches_pattern and all(not names or name_of(key).lower() in names for names, name_of in wanted)

    found = [status for status in statuses if is_selected(status.partition)]
    if statuses and not found:
        raise NothingMatches(selection.as_typed().strip(), (), any_known=True)
    return found


def _known(
    option: str, names: tuple[str, ...], keys: Sequence[PartitionKey], name_of: Callable[[PartitionKey], str]
) -> tuple[tuple[str, ...], Callable[[PartitionKey], str]]:
    present = {name_of(key) for key in keys}
    folded = {name.lower() for name in present}
    for name in names:
        if name.lower() not in folded:
            raise _nothing_matches(f"{option} {name}", name, present)
    return tuple(name.lower() for name in names), name_of


def _comparable(keys: Sequence[PartitionKey], text: str) -> set[str]:
    """Give what a pattern can be compared with: whole keys, or the parts of keys where it has one part."""
    if "/" in text:
        return {str(key) for key in keys}
    return {name for key in keys for name in (key.market, key.doc_type, key.stock_code)}


def _nothing_matches(given: str, text: str, present: set[str]) -> NothingMatches:
    """Name the known names that are nearest to the text, letter case aside."""
    folded = {name.lower(): name for name in sorted(present, reverse=True)}
    nearest = [folded[name] for name in get_close_matches(text.lower(), sorted(folded), n=3, cutoff=0.4)]
    return NothingMatches(given, nearest, any_known=bool(present))
