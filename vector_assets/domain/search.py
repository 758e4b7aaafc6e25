"""What a search is limited to, and what it finds."""

from dataclasses import dataclass, field
from uuid import UUID

from .partition_keys import PartitionKey


@dataclass(frozen=True)
class SearchFilter:
    """Limits a search to chunks whose values are these; None means any.

    `period` and `language` are those of the document, exactly as stored, e.g. `2024` and `zh`.
    """

    market: str | None = None
    doc_type: str | None = None
    stock_code: str | None = None
    period: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class SearchHit:
    """A chunk that answers a question, and the document it comes from.

    `score` is the cosine similarity of the vectors: 1 is the same direction; None: the question has no vector, because
    the server that embeds it is away, and the chunk was found by its terms alone. `document` is the document's path;
    company name, title, period and language are empty where nobody has stored them, pages are None where there are
    none.
    `dense_rank` and `lexical_rank` are its places among the nearest vectors and among the best by terms, from 1; None
    where it is not among them.
    """

    score: float | None
    partition: PartitionKey
    document: str
    chunk_index: int
    text: str = field(repr=False)
    company_name: str = ""
    title: str = ""
    period: str = ""
    language: str = ""
    page_from: int | None = None
    page_to: int | None = None
    chunk_id: UUID | None = None
    dense_rank: int | None = None
    lexical_rank: int | None = None
