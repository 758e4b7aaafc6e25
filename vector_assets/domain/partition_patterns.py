"""Patterns that select partitions by their keys, as `us/*/*`."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from ..errors import InvalidPattern
from .partition_keys import PartitionKey


@dataclass(frozen=True)
class PartitionPattern:
    """Three glob patterns, one for each part of the key: `us/*/*` is a market, `*/*/AAPL` a company in all markets."""

    market: str
    doc_type: str
    stock_code: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a pattern.

        Raises:
            InvalidPattern: the text does not have three parts, or a part could match nothing.
        """
        parts = text.split("/")
        if len(parts) != 3 or not all(re.fullmatch(r"[A-Za-z0-9._*?-]+", part, re.ASCII) for part in parts):
            raise InvalidPattern(text)
        return cls(*parts)

    def matches(self, key: PartitionKey) -> bool:
        """Return whether each part of the key matches its pattern, letter case included."""
        return (
            fnmatchcase(key.market, self.market)
            and fnmatchcase(key.doc_type, self.doc_type)
            and fnmatchcase(key.stock_code, self.stock_code)
        )
