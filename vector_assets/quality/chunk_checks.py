"""The checks of `silver/document_chunks`, whichever program wrote the chunks: pure functions from facts to results."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..domain.wording import part_read, readable_chunks, readable_line, readable_paragraph
from ..translation import ngettext, translate
from .check_result import CheckResult, Figure, Row, Severity, limit_figure
from .check_runner import Check
from .limits import QualityLimits
from .partition_facts import ChunkText

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
    """What is counted in the texts of a partition that were read; the tuples of chunks are examples.

    `chunks` were read, of `chunks_of_partition`. A chunk may have `tokens_limit` tokens. Tokens are counted of the
    `longest_counted` longest chunks only. `documents` holds the readability of each document by its name.
    """

    limits: QualityLimits
    tokens_limit: int
    chunks: int
    chunks_of_partition: int
    empty: int
    empty_chunks: tuple[ChunkText, ...]
    fragments: int
    fragment_chunks: tuple[ChunkText, ...]
    longest_counted: int
    too_long: tuple[LongChunk, ...]
    documents: Mapping[str, DocumentReadability]
    most_unreadable: tuple[UnreadableChunk, ...]

    def paragraph(self, *sentences: str) -> str:
        """Join the sentences, and say what they are about where not all chunks were read."""
        return readable_paragraph([*sentences, *part_read(self.chunks, self.chunks_of_partition)])


def no_empty_chunks(facts: ChunkFacts) -> CheckResult:
    """Fail for chunks of white space only: their vectors say nothing and are found for many questions."""
    figures: dict[str, Figure] = {"chunks": facts.chunks_of_partition, "read": facts.chunks, "empty": facts.empty}
    if not facts.empty:
        return CheckResult(True, facts.paragraph(translate("No chunk is empty.")), figures)
    figures["examples"] = tuple(_places(facts.empty_chunks))
    description = ngettext(
        "{number:,} of {chunks} contains only white space. The product writes no such chunks: check what the program "
        "that wrote them does with empty pages.",
        "{number:,} of {chunks} contain only white space. The product writes no such chunks: check what the program "
        "that wrote them does with empty pages.",
        facts.empty,
        chunks=readable_chunks(facts.chunks),
    )
    return CheckResult(False, facts.paragraph(description), figures)


def chunk_sizes_in_range(facts: ChunkFacts) -> CheckResult:
    """Warn of chunks far outside the usual sizes: too many tokens, and many fragments."""
    share = facts.fragments / facts.chunks if facts.chunks else 0.0
    found = [*_too_long(facts), *_fragments(facts, share)]
    figures: dict[str, Figure] = {
        "chunks": facts.chunks_of_partition,
        "read": facts.chunks,
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
    sentences = found or [translate("All chunk sizes are in range.")]
    return CheckResult(not found, facts.paragraph(*sentences), figures, Severity.WARNING)


def _too_long(facts: ChunkFacts) -> list[str]:
    if not (number := len(facts.too_long)):
        return []
    longest = ngettext("{number:,} longest chunk", "{number:,} longest chunks", facts.longest_counted)
    description = ngettext(
        "{number:,} of the {longest} has more than {limit:,} tokens, which is VECTOR_ASSETS_CHUNK_TOKENS or the "
        "model's limit. Make the chunks smaller; another program must limit its chunks itself.",
        "{number:,} of the {longest} have more than {limit:,} tokens, which is VECTOR_ASSETS_CHUNK_TOKENS or the "
        "model's limit. Make the chunks smaller; another program must limit its chunks itself.",
        number,
        longest=longest,
        limit=facts.tokens_limit,
    )
    return [description]


def _fragments(facts: ChunkFacts, share: float) -> list[str]:
    if facts.fragments < _FEWEST_FRAGMENTS or share <= facts.limits.max_fragments_share:
        return []
    description = ngettext(
        "{fragments:,} of {number:,} chunk ({share:.1%}) are fragments of fewer than {limit} bytes, which say nothing "
        "in a search result. Check how the documents are chunked.",
        "{fragments:,} of {number:,} chunks ({share:.1%}) are fragments of fewer than {limit} bytes, which say nothing "
        "in a search result. Check how the documents are chunked.",
        facts.chunks,
        fragments=facts.fragments,
        share=share,
        limit=FRAGMENT_BYTES,
    )
    return [description]


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
    if not bad:
        description = ngettext(
            "{share:.3%} of the characters in {number:,} document are unreadable.",
            "{share:.3%} of the characters in {number:,} documents are unreadable.",
            len(facts.documents),
            share=whole,
        )
        return CheckResult(True, facts.paragraph(description), figures, Severity.WARNING)
    description = facts.paragraph(_unreadable(bad, len(facts.documents)))
    return CheckResult(False, description, figures, Severity.WARNING)


def _unreadable(bad: Mapping[str, float], documents: int) -> str:
    worst = max(bad, key=lambda name: bad[name])
    return ngettext(
        "{number:,} of {documents} has too many unreadable characters; {worst} has the largest share, {share:.1%}. The "
        "file was read in a wrong encoding or by a faulty reader: store it as UTF-8 and ingest it again.",
        "{number:,} of {documents} have too many unreadable characters; {worst} has the largest share, {share:.1%}. "
        "The file was read in a wrong encoding or by a faulty reader: store it as UTF-8 and ingest it again.",
        len(bad),
        documents=ngettext("{number:,} document", "{number:,} documents", documents),
        worst=worst,
        share=bad[worst],
    )


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
