"""What a search is limited to, and what it finds."""

from dataclasses import dataclass, field
from uuid import UUID

from ..translation import translate
from .partition_keys import PartitionKey
from .partition_selection import Selection
from .wording import readable_coverage

_ALL_PARTITIONS = Selection()


@dataclass(frozen=True)
class SearchFilter:
    """Limits a search, as somebody writes it: in any letter case; () means any.

    `partitions` selects as in the other commands. `periods` and `languages` are those of documents, e.g. `2024`, `zh`.
    """

    partitions: Selection = _ALL_PARTITIONS
    periods: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChunkFilter:
    """Limits a search to chunks whose values are among these, exactly as stored; () means any.

    `partitions` are listed where markets, doc types and stock codes do not say which ones are meant. `chunks` is how
    many chunks the named partitions had when they were looked up; None where partitions do not limit the search.
    """

    markets: tuple[str, ...] = ()
    doc_types: tuple[str, ...] = ()
    stock_codes: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    partitions: tuple[PartitionKey, ...] = ()
    chunks: int | None = None


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


@dataclass(frozen=True)
class SearchCoverage:
    """How many chunks a filter names, and how many of them have a current vector, so that they can be found."""

    chunks: int
    current: int

    @property
    def percent(self) -> str:
        """The coverage rounded down: `100%` means complete, `0%` that no chunk has a vector."""
        return readable_coverage(self.current, self.chunks)

    @property
    def note(self) -> str:
        """One sentence or two on what could not be found, and why; empty where everything could."""
        if not self.chunks:
            return translate("Nothing is stored that the filter lets through.")
        if not self.current:
            return translate(
                "Not embedded yet: none of the {chunks:,} chunks that the filter lets through has a vector. Create "
                "them with vector-assets backfill.",
                chunks=self.chunks,
            )
        if self.current == self.chunks:
            return ""
        return translate(
            "{current:,} of the {chunks:,} chunks asked for have a vector ({percent}); the others were not found. "
            "vector-assets status shows where they are.",
            current=self.current,
            chunks=self.chunks,
            percent=self.percent,
        )


@dataclass(frozen=True)
class SearchAnswer:
    """What a question finds, best first, and how much of what it could find has vectors by now."""

    hits: list[SearchHit]
    coverage: SearchCoverage


@dataclass(frozen=True)
class SearchableQuestion:
    """A question as a program that knows nothing but SQL needs it: its vector in the serving space, and its terms."""

    vector: tuple[float, ...] = field(repr=False)
    term_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Passage:
    """Neighboring chunks of a document as one text. Chunks and pages are the first and the last; None: no pages."""

    partition: PartitionKey
    document: str
    company_name: str
    title: str
    period: str
    language: str
    chunk_from: int
    chunk_to: int
    page_from: int | None
    page_to: int | None
    text: str = field(repr=False)
