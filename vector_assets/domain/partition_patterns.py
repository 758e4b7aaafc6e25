"""Patterns that select partitions by their keys, as `us/` or `*/annual_report/AAPL`."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from ..errors import InvalidPattern
from .partition_keys import PartitionKey

_PARTS = 3


@dataclass(frozen=True)
class PartitionPattern:
    """A glob pattern over the parts of a key, in any letter case.

    With three parts, each part of the key has its own. With fewer, they are neighboring parts of the key: `AAPL` and
    `/AAPL` are a company in all markets, `us/` is a market, `us/annual_report` and `annual_report/AAPL` are what they
    say. An empty part matches anything.
    """

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a pattern.

        Raises:
            InvalidPattern: the text is empty, has more than three parts, or a part could match nothing.
        """
        parts = text.split("/")
        if not text or len(parts) > _PARTS or not all(re.fullmatch(r"[A-Za-z0-9._*?-]*", part) for part in parts):
            raise InvalidPattern(text)
        return cls(tuple(part.lower() or "*" for part in parts))

    def matches(self, key: PartitionKey) -> bool:
        """Return whether the pattern's parts match neighboring parts of the key."""
        names = [name.lower() for name in (key.market, key.doc_type, key.stock_code)]
        return any(
            all(map(fnmatchcase, names[first : first + len(self.parts)], self.parts))
            for first in range(_PARTS - len(self.parts) + 1)
        )
