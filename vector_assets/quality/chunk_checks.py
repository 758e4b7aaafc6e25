"""The checks of `silver/document_chunks`, whichever program wrote the chunks: pure functions from facts to results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..domain.wording import readable_line
from .check_result import CheckResult, Figure, Row, Severity, limit_figure
from .check_runner import Check
from .limits import QualityLimits
from .partition_facts import ChunkText
from .plurals import agreeing, counted

FRAGMENT_BYTES = 20
"""A chunk with fewer bytes of UTF-8 is a fragment: as long as three English words or six Chinese characters."""

# One or two fragments of a small partition are a title or a date.
_FEWEST_FRAGMENTS = 3

_EXAMPLES = 5
_EXCERPT_CHARACTERS = 60


@dataclass(frozen=True)
class DocumentReadability:
    """How many characters a document has, and how many of them are signs of a wrong encoding."""

    characters: int
    unreadable: float

    @property
    def share(self) -> float:
        """Share of the characters that are unreadable, 0 to 1."""
        return self.unreadable / self.characters if self.characters else 0.0


@dataclass(frozen=True)
class LongChunk:
    """A chunk with more tokens than a chunk may have."""

    document: str
    chunk_index: int
    tokens: int


@dataclass(frozen=True)
class UnreadableChunk:
    """A chunk with unreadable characters: their share, 0 to 1, and the text around the first of them."""

    document: str
    chunk_index: int
    share: float
    excerpt: str


@dataclass(frozen=True)
class ChunkFacts:
    """What is counted in all texts of a partition; the tuples of chunks are examples.

    A chunk may have `tokens_limit` tokens. Tokens are counted of the `longest_counted` longest chunks only.
    `documents` holds the readability of each document by its name.
    """

    limits: QualityLimits
    tokens_limit: int
    chunks: int
    empty: int
    empty_chunks: tuple[ChunkText, ...]
    fragments: int
    fragment_chunks: tuple[ChunkText, ...]
    longest_counted: int
    too_long: tuple[LongChunk, ...]
    documents: Mapping[str, DocumentReadability]
    most_unreadable: tuple[UnreadableChunk, ...]


def no_empty_chunks(facts: ChunkFacts) -> CheckResult:
    """Fail for chunks of white space only: their vectors say nothing and are found for many questions."""
    figures: dict[str, Figure] = {"chunks": facts.chunks, "empty": facts.empty}
    if not facts.empty:
        return CheckResult(True, "No chunk is empty.", figures)
    figures["examples"] = tuple(_places(facts.empty_chunks))
    description = (
        f"{facts.empty:,} of {counted(facts.chunks, 'chunk')} {agreeing(facts.empty, 'contains', 'contain')} only "
        "white space. The product writes no such chunks: check what the program that wrote them does with empty pages."
    )
    return CheckResult(False, description, figures)


def chunk_sizes_in_range(facts: ChunkFacts) -> CheckResult:
    """Warn of chunks far outside the usual sizes: too many tokens, and many fragments."""
    share = facts.fragments / facts.chunks if facts.chunks else 0.0
    found = [*_too_long(facts), *_fragments(facts, share)]
    figures: dict[str, Figure] = {
        "chunks": facts.chunks,
        "tokens_limit": limit_figure(facts.tokens_limit),
        "longest_counted": facts.longest_counted,
        "too_long": len(facts.too_long),
        "fragments": facts.fragments,
        "fragments_share": round(share, 4),
        "fragments_limit": limit_figure(facts.limits.max_fragments_share),
    }
    if facts.too_long:
        figures["longest"] = tuple(
            {"document": chunk.document, "chunk_index": chunk.chunk_index, "tokens": chunk.tokens}
            for chunk in facts.too_long[:_EXAMPLES]
        )
    if facts.fragment_chunks:
        figures["fragment_examples"] = tuple(
            {**place, "text": readable_line(chunk.text, _EXCERPT_CHARACTERS)}
            for place, chunk in zip(_places(facts.fragment_chunks), facts.fragment_chunks, strict=True)
        )
    return CheckResult(not found, " ".join(found) or "All chunk sizes are in range.", figures, Severity.WARNING)


def _too_long(facts: ChunkFacts) -> list[str]:
    if not (number := len(facts.too_long)):
        return []
    return [
        f"{number:,} of the {counted(facts.longest_counted, 'longest chunk')} {agreeing(number, 'has', 'have')} more "
        f"than {facts.tokens_limit:,} tokens, which is VECTOR_ASSETS_CHUNK_TOKENS or the model's limit. Make the "
        "chunks smaller; another program must limit its chunks itself."
    ]


def _fragments(facts: ChunkFacts, share: float) -> list[str]:
    if facts.fragments < _FEWEST_FRAGMENTS or share <= facts.limits.max_fragments_share:
        return []
    return [
        f"{facts.fragments:,} of {counted(facts.chunks, 'chunk')} ({share:.1%}) are fragments of fewer than "
        f"{FRAGMENT_BYTES} bytes, which say nothing in a search result. Check how the documents are chunked."
    ]


def text_is_readable(facts: ChunkFacts) -> CheckResult:
    """Warn of each document with signs of a wrong encoding: among a hundred good ones, a single bad one is lost."""
    limit = facts.limits.max_unreadable_share
    bad = {name: item.share for name, item in facts.documents.items() if item.share > limit}
    characters = sum(item.characters for item in facts.documents.values())
    whole = DocumentReadability(characters, sum(item.unreadable for item in facts.documents.values())).share
    figures: dict[str, Figure] = {
        "unreadable_share": round(whole, 6),
        "limit": limit_figure(limit),
        "documents": len(facts.documents),
        "unreadable_documents": len(bad),
    }
    if facts.most_unreadable:
        figures["most_unreadable"] = tuple(
            {
                "document": chunk.document,
                "chunk_index": chunk.chunk_index,
                "unreadable": f"{chunk.share:.1%}",
                "excerpt": readable_line(chunk.excerpt, _EXCERPT_CHARACTERS),
            }
            for chunk in facts.most_unreadable
        )
    documents = counted(len(facts.documents), "document")
    if not bad:
        description = f"{whole:.3%} of the characters in {documents} are unreadable."
        return CheckResult(True, description, figures, Severity.WARNING)
    worst = max(bad, key=lambda name: bad[name])
    description = (
        f"{len(bad):,} of {documents} {agreeing(len(bad), 'has', 'have')} too many unreadable characters; {worst} has "
        f"the largest share, {bad[worst]:.1%}. The file was read in a wrong encoding or by a faulty reader: store it "
        "as UTF-8 and ingest it again."
    )
    return CheckResult(False, description, figures, Severity.WARNING)


def _places(chunks: Iterable[ChunkText]) -> list[Row]:
    return [{"document": chunk.document, "chunk_index": chunk.chunk_index} for chunk in chunks]


CHUNK_CHECKS: Sequence[Check[ChunkFacts]] = (
    Check("no_empty_chunks", "No chunk is empty or contains only white space.", no_empty_chunks),
    Check(
        "chunk_sizes_in_range",
        "No chunk has more than VECTOR_ASSETS_CHUNK_TOKENS tokens, and few chunks are fragments.",
        chunk_sizes_in_range,
    ),
    Check(
        "text_is_readable",
        "Hardly any of a document's characters are signs of a wrong encoding.",
        text_is_readable,
    ),
)
