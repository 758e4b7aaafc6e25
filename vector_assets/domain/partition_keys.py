"""The partition key `market/doc_type/stock_code`."""

import re
from dataclasses import dataclass
from typing import Self

from ..errors import InvalidPartitionKey


@dataclass(frozen=True, order=True)
class PartitionKey:
    """The key `market/doc_type/stock_code`: one company's documents of one type in one market.

    Raises:
        InvalidPartitionKey: a part is empty, too long, or holds a character that Dagster's UI cannot select.
    """

    market: str
    doc_type: str
    stock_code: str

    def __post_init__(self) -> None:
        self._refuse_unless("market", self.market, r"[a-z0-9_-]+", "lower-case letters, digits, _ and -")
        self._refuse_unless("doc_type", self.doc_type, r"[A-Za-z0-9_-]+", "letters, digits, _ and -")
        self._refuse_unless("stock_code", self.stock_code, r"[A-Za-z0-9._-]+", "letters, digits, . _ and -")
        # Dagster reads `...` as a range of partitions, and `.` and `..` cannot name a folder.
        if "..." in self.stock_code or self.stock_code in {".", ".."}:
            raise InvalidPartitionKey(str(self), "the stock_code is made of dots")

    def _refuse_unless(self, part: str, value: str, form: str, allowed: str) -> None:
        if not value:
            raise InvalidPartitionKey(str(self), f"the {part} is empty")
        if len(value) > 64:
            raise InvalidPartitionKey(str(self), f"the {part} is longer than 64 characters")
        if not re.fullmatch(form, value, re.ASCII):
            raise InvalidPartitionKey(str(self), f"the {part} {value!r} may hold only {allowed}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `market/doc_type/stock_code`.

        Raises:
            InvalidPartitionKey: the text does not have three valid parts.
        """
        parts = text.split("/")
        if len(parts) != 3:
            raise InvalidPartitionKey(text, f"it has {len(parts)} part{'s' * (len(parts) != 1)}, not 3")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.market}/{self.doc_type}/{self.stock_code}"
