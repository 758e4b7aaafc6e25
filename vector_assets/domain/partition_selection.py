"""A selection of partitions by patterns and names, in any letter case: the same in all commands and in search."""

import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import NothingMatches
from .partition_keys import PartitionKey
from .partition_patterns import PartitionPattern


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

    def of(self, keys: Sequence[PartitionKey]) -> list[PartitionKey]:
        """Return the selected ones of the known partitions, in the order given.

        Raises:
            InvalidPattern: a pattern does not have the form of a partition key.
            NothingMatches: a pattern, a name, or all of them together match no key; the message has the nearest.
        """
        patterns = [PartitionPattern.parse(text) for text in self.patterns]
        for text, pattern in zip(self.patterns, patterns, strict=True):
            if not any(pattern.matches(key) for key in keys):
                named = text.strip("/")
                raise _nothing_matches(text, named, _comparable(keys, named))
        wanted = [
            _known("--market", self.markets, keys, lambda key: key.market),
            _known("--company", self.companies, keys, lambda key: key.stock_code),
            _known("--doc-type", self.doc_types, keys, lambda key: key.doc_type),
        ]

        def is_selected(key: PartitionKey) -> bool:
            matches_pattern = not patterns or any(pattern.matches(key) for pattern in patterns)
            return matches_pattern and all(not names or name_of(key).lower() in names for names, name_of in wanted)

        found = [key for key in keys if is_selected(key)]
        if keys and not found:
            raise NothingMatches(self.as_typed().strip(), (), any_known=True)
        return found


def nearest_names(text: str, present: Collection[str]) -> list[str]:
    """Give the known names that are nearest to the text, letter case aside, the nearest first."""
    folded = {name.lower(): name for name in sorted(present, reverse=True)}
    return [folded[name] for name in get_close_matches(text.lower(), sorted(folded), n=3, cutoff=0.4)]


def _known(
    option: str, names: tuple[str, ...], keys: Sequence[PartitionKey], name_of: Callable[[PartitionKey], str]
) -> tuple[tuple[str, ...], Callable[[PartitionKey], str]]:
    present = {name_of(key) for key in keys}
    folded = {name.lower() for name in present}
    for name in names:
        if name.lower() not in folded:
            raise _nothing_matches(f"{option} {name}", name, present)
    return tuple(name.lower() for name in names), name_of


def _comparable(keys: Sequence[PartitionKey], named: str) -> set[str]:
    """Give what the parts that a pattern names can be compared with: as many neighboring parts of the keys."""
    parts = [str(key).split("/") for key in keys]
    number = named.count("/") + 1
    return {"/".join(each[first : first + number]) for each in parts for first in range(len(each) - number + 1)}


def _nothing_matches(given: str, text: str, present: set[str]) -> NothingMatches:
    return NothingMatches(given, nearest_names(text, present), any_known=bool(present))
