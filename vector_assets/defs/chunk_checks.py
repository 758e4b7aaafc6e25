"""What is promised of `silver/document_chunks`, whoever wrote them, and judged after each run of a partition."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_line
from ..quality.readability import unreadable_share
from ..services import Services
from ..storage.audit_facts import ChunkText
from .check_events import WARN, Check, Verdict, counted, limit_of, table

# A chunk with fewer bytes of UTF-8 is a fragment: three English words, or six Chinese characters, which say as much.
_FRAGMENT_BYTES = 20
# One or two of a small partition are a title, or a date.
_FEWEST_FRAGMENTS = 3

# Tokens are counted of the longest chunks only: counting all of them takes an eighth of what cutting them takes. Where
# whatever cuts them cuts too large, the longest tell; each takes up to a millisecond.
_COUNTED = 8
# No text with so many characters a token of the limit fits. More of it need not be looked at, nor kept.
_CHARACTERS_A_TOKEN = 64

_WORST = 5
_EXCERPT = 60


@dataclass
class _Readability:
    """Of one document: characters, and how many of them no writer meant."""

    characters: int = 0
    unreadable: float = 0.0

    @property
    def share(self) -> float:
        return self.unreadable / self.characters if self.characters else 0.0


@dataclass
class ChunkFacts:
    """What is counted while the partition's texts go by, once. `longest` have their tokens counted.

    Of texts, only examples are kept. `tokens_limit` is how many a chunk may have; the limits of shares are the
    settings' `max_fragments_share` and `max_unreadable_share`.
    """

    tokens_limit: int
    fragments_limit: float
    unreadable_limit: float
    chunks: int = 0
    empty: list[ChunkText] = field(default_factory=list)
    empty_count: int = 0
    fragments: list[ChunkText] = field(default_factory=list)
    fragment_count: int = 0
    too_long: list[tuple[ChunkText, int]] = field(default_factory=list)
    tokens_counted: int = 0
    documents: dict[str, _Readability] = field(default_factory=dict)
    worst: list[tuple[float, int, ChunkText]] = field(default_factory=list)

    def add(self, chunk: ChunkText) -> None:
        """Count one chunk."""
        self.chunks += 1
        text = chunk.text.strip()
        if not text:
            self.empty_count += 1
            self._keep(self.empty, chunk)
        elif len(text) < _FRAGMENT_BYTES and len(text.encode()) < _FRAGMENT_BYTES:
            self.fragment_count += 1
            self._keep(self.fragments, chunk)
        share = unreadable_share(chunk.text)
        document = self.documents.setdefault(chunk.document, _Readability())
        document.characters += len(chunk.text)
        if share:
            document.unreadable += share * len(chunk.text)
            excerpt = ChunkText(chunk.id, chunk.document, chunk.chunk_index, _excerpt(chunk.text))
            _keep_greatest(self.worst, (share, chunk.id, excerpt), _WORST)

    def _keep(self, examples: list[ChunkText], chunk: ChunkText) -> None:
        if len(examples) < _WORST:
            examples.append(chunk)

    @property
    def whole(self) -> _Readability:
        """Of all documents together."""
        documents = self.documents.values()
        return _Readability(sum(item.characters for item in documents), sum(item.unreadable for item in documents))


def gather(services: Services, key: PartitionKey) -> ChunkFacts:
    """Read all texts of the partition, a window at a time.

    Raises:
        DatabaseError: they could not be read.
    """
    settings = services.settings
    tokens_limit = min(settings.chunk_tokens, services.embedder.space.max_tokens)
    facts = ChunkFacts(tokens_limit, settings.max_fragments_share, settings.max_unreadable_share)
    longest: list[tuple[float, int, ChunkText]] = []
    for chunk in services.evidence.texts(key):
        facts.add(chunk)
        if len(longest) < _COUNTED or len(chunk.text) > longest[0][0] // 4:  # a character has four bytes at most
            beginning = chunk.text[: _CHARACTERS_A_TOKEN * facts.tokens_limit]
            kept = ChunkText(chunk.id, chunk.document, chunk.chunk_index, beginning)
            _keep_greatest(longest, (len(beginning.encode()), chunk.id, kept), _COUNTED)
    chunks = [chunk for _, _, chunk in longest]
    counts = [item.token_count for item in services.embedder.tokenize([chunk.text for chunk in chunks])]
    facts.tokens_counted = len(counts)
    too_long = [(chunk, count) for chunk, count in zip(chunks, counts, strict=True) if count > facts.tokens_limit]
    facts.too_long = sorted(too_long, key=lambda item: (-item[1], item[0].id))
    return facts


def _keep_greatest(heap: list[tuple[float, int, ChunkText]], item: tuple[float, int, ChunkText], most: int) -> None:
    if len(heap) < most:
        heapq.heappush(heap, item)
    elif item > heap[0]:
        heapq.heapreplace(heap, item)


def _excerpt(text: str) -> str:
    """Where the first unreadable characters are."""
    pieces = (text[at : at + _EXCERPT] for at in range(0, len(text), _EXCERPT // 2))
    return next((piece for piece in pieces if unreadable_share(piece)), text[:_EXCERPT])


def no_empty_chunks(facts: ChunkFacts) -> Verdict:
    """One that is only white space has a vector that says nothing, and is found for many questions."""
    evidence: dict[str, dg.MetadataValue] = {
        "chunks": dg.MetadataValue.int(facts.chunks),
        "empty": dg.MetadataValue.int(facts.empty_count),
    }
    if not facts.empty_count:
        return Verdict(True, f"None of {counted(facts.chunks, 'chunk')} is empty.", evidence)
    evidence["examples"] = table(_places(facts.empty))
    words = (
        f"{facts.empty_count:,} of {counted(facts.chunks, 'chunk')} hold nothing but white space. No chunk that is cut "
        "here does: see what the program that wrote them does with empty pages."
    )
    return Verdict(False, words, evidence)


def chunk_sizes_in_range(facts: ChunkFacts) -> Verdict:
    """Far outside only: by the tokens of the longest chunks, and by how many are fragments."""
    share = facts.fragment_count / facts.chunks if facts.chunks else 0.0
    found = []
    if facts.too_long:
        found.append(
            f"{len(facts.too_long):,} of the {counted(facts.tokens_counted, 'longest chunk')} have more than "
            f"{facts.tokens_limit:,} tokens (VECTOR_ASSETS_CHUNK_TOKENS, or what the model reads). Cut them smaller; "
            "chunks that another program wrote are its own to cut."
        )
    if facts.fragment_count >= _FEWEST_FRAGMENTS and share > facts.fragments_limit:
        found.append(
            f"{facts.fragment_count:,} of {counted(facts.chunks, 'chunk')} ({share:.1%}) are fragments of fewer than "
            f"{_FRAGMENT_BYTES} bytes, which say nothing when they are found. See how the documents are cut."
        )
    evidence: dict[str, dg.MetadataValue] = {
        "chunks": dg.MetadataValue.int(facts.chunks),
        "tokens_limit": limit_of(facts.tokens_limit),
        "longest_counted": dg.MetadataValue.int(facts.tokens_counted),
        "too_long": dg.MetadataValue.int(len(facts.too_long)),
        "fragments": dg.MetadataValue.int(facts.fragment_count),
        "fragments_share": dg.MetadataValue.float(round(share, 4)),
        "fragments_limit": limit_of(facts.fragments_limit),
    }
    if facts.too_long:
        evidence["longest"] = table(
            {"document": chunk.document, "chunk_index": chunk.chunk_index, "tokens": count}
            for chunk, count in facts.too_long[:_WORST]
        )
    if facts.fragments:
        evidence["fragment_examples"] = table(
            {**place, "text": readable_line(chunk.text, _EXCERPT)}
            for place, chunk in zip(_places(facts.fragments), facts.fragments, strict=True)
        )
    good = f"All of {counted(facts.chunks, 'chunk')} have a usual length."
    return Verdict(not found, " ".join(found) or good, evidence, WARN)


def text_is_readable(facts: ChunkFacts) -> Verdict:
    """By the partition and by each document: one that was read in a wrong encoding is lost among a hundred others."""
    bad = {name: item for name, item in facts.documents.items() if item.share > facts.unreadable_limit}
    whole = facts.whole.share
    evidence: dict[str, dg.MetadataValue] = {
        "unreadable_share": dg.MetadataValue.float(round(whole, 6)),
        "limit": limit_of(facts.unreadable_limit),
        "documents": dg.MetadataValue.int(len(facts.documents)),
        "unreadable_documents": dg.MetadataValue.int(len(bad)),
    }
    if facts.worst:
        evidence["worst"] = table(
            {
                "document": chunk.document,
                "chunk_index": chunk.chunk_index,
                "unreadable": f"{share:.1%}",
                "excerpt": readable_line(chunk.text, _EXCERPT),
            }
            for share, _, chunk in sorted(facts.worst, key=lambda item: (-item[0], item[1]))
        )
    if not bad and whole <= facts.unreadable_limit:
        words = f"{counted(len(facts.documents), 'document')}: of the characters, {whole:.3%} are unreadable."
        return Verdict(True, words, evidence, WARN)
    most = max(bad or facts.documents, key=lambda name: facts.documents[name].share)
    words = (
        f"Of {counted(len(facts.documents), 'document')}, {len(bad):,} have characters that no writer meant; {most} "
        f"has most, {facts.documents[most].share:.1%}. It was read in a wrong encoding, or by a broken reader: store "
        "the file as UTF-8, and read it again."
    )
    return Verdict(False, words, evidence, WARN)


def _places(chunks: Iterable[ChunkText]) -> list[dict[str, str | int | float]]:
    return [{"document": chunk.document, "chunk_index": chunk.chunk_index} for chunk in chunks]


CHUNK_CHECKS: Sequence[Check[ChunkFacts]] = (
    Check("no_empty_chunks", "No chunk is empty, or white space only.", no_empty_chunks),
    Check(
        "chunk_sizes_in_range",
        "No chunk is longer than VECTOR_ASSETS_CHUNK_TOKENS, and few are fragments.",
        chunk_sizes_in_range,
    ),
    Check(
        "text_is_readable",
        "Hardly any of a document's characters are signs of a wrong encoding.",
        text_is_readable,
    ),
)
