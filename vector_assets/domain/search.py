"""Questions and what is found."""

from dataclasses import dataclass, field

from .partition_keys import PartitionKey


@dataclass(frozen=True)
class SearchFilter:
    """Narrows a search; None means any."""

    market: str | None = None
    doc_type: str | None = None
    stock_code: str | None = None


@dataclass(frozen=True)
class SearchHit:
    """A chunk near a question. `score` is the cosine similarity, 1 is the same direction."""

    score: float
    partition: PartitionKey
    document: str
    chunk_index: int
    text: str = field(repr=False)
