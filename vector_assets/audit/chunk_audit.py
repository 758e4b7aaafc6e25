"""Gather the facts about a partition's chunks: one pass over the texts that a run changed, and a sample."""

import heapq
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ..domain.partition_keys import PartitionKey
from ..ports import ChunkTextStore, Embedder
from ..quality.check_runner import CheckResults, not_checked, run_checks
from ..quality.chunk_checks import (
    CHUNK_CHECKS,
    FRAGMENT_BYTES,
    ChunkFacts,
    DocumentReadability,
    LongChunk,
    UnreadableChunk,
)
from ..quality.limits import QualityLimits
from ..quality.partition_facts import ChunkText
from ..quality.readability import unreadable_share
from ..translation import translate

logger = logging.getLogger(__name__)

# Tokens are counted of the longest chunks only: counting all of them takes an eighth of the time that chunking takes.
# Where a program makes too long chunks, its longest show it; each takes up to a millisecond.
_TOKENIZED = 8
# No text with so many characters per allowed token fits. The rest of it is neither tokenized nor kept.
_CHARACTERS_PER_TOKEN = 64

_EXAMPLES = 5
_EXCERPT_CHARACTERS = 60

_Ranked = tuple[float, UUID, ChunkText]


@dataclass(frozen=True)
class ChunkAudit:
    """Audits partitions of chunks, of which each may have `tokens_limit` tokens."""

    store: ChunkTextStore
    embedder: Embedder
    limits: QualityLimits
    tokens_limit: int

    def results(self, partition: PartitionKey, changed: Sequence[UUID], run_id: str) -> CheckResults:
        """Gather the facts and judge them. Where they cannot be gathered, each check is a warning.

        `changed` are the documents that the run has chunked.
        """
        try:
            facts = self.facts(partition, changed, run_id)
        except Exception as error:
            message = translate("the facts about the chunks of {partition} could not be gathered", partition=partition)
            logger.warning(message, exc_info=True)
            return not_checked(CHUNK_CHECKS, error)
        return run_checks(CHUNK_CHECKS, facts)

    def facts(self, partition: PartitionKey, changed: Sequence[UUID], run_id: str) -> ChunkFacts:
        """Read texts of the partition, in a small one all; only examples are kept in memory.

        Raises:
            DatabaseError: the partition could not be read.
        """
        counts = _TextCounts()
        longest = _Greatest(_TOKENIZED)
        for chunk in self.store.texts(partition, changed, run_id):
            counts.add(chunk)
            if longest.may_hold(4 * len(chunk.text)):  # a character has four bytes at most
                beginning = chunk.text[: _CHARACTERS_PER_TOKEN * self.tokens_limit]
                longest.add(len(beginning.encode()), chunk._replace(text=beginning))
        chunks = [chunk for _, chunk in longest.descending()]
        return ChunkFacts(
            limits=self.limits,
            tokens_limit=self.tokens_limit,
            chunks=counts.chunks,
            chunks_of_partition=max(self.store.count(partition), counts.chunks),
            empty=counts.empty,
            empty_chunks=tuple(counts.empty_chunks),
            fragments=counts.fragments,
            fragment_chunks=tuple(counts.fragment_chunks),
            longest_counted=len(chunks),
            too_long=self._too_long(chunks),
            documents=counts.documents,
            most_unreadable=tuple(
                UnreadableChunk(chunk.document, chunk.chunk_index, share, chunk.text)
                for share, chunk in counts.unreadable.descending()
            ),
        )

    def _too_long(self, chunks: list[ChunkText]) -> tuple[LongChunk, ...]:
        tokens = self.embedder.tokenize([chunk.text for chunk in chunks])
        found = [
            LongChunk(chunk.document, chunk.chunk_index, text.token_count)
            for chunk, text in zip(chunks, tokens, strict=True)
            if text.token_count > self.tokens_limit
        ]
        return tuple(sorted(found, key=lambda chunk: -chunk.tokens))


class _Greatest:
    """The chunks with the greatest ranks, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[_Ranked] = []

    def may_hold(self, rank: float) -> bool:
        """Say whether a chunk of this rank at most could be among them."""
        return len(self._heap) < self._most or rank > self._heap[0][0]

    def add(self, rank: float, chunk: ChunkText) -> None:
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, (rank, chunk.id, chunk))
        elif (rank, chunk.id) > self._heap[0][:2]:
            heapq.heapreplace(self._heap, (rank, chunk.id, chunk))

    def descending(self) -> list[tuple[float, ChunkText]]:
        """Give ranks and chunks, the greatest rank first."""
        ordered = sorted(self._heap, key=lambda item: (-item[0], item[1]))
        return [(rank, chunk) for rank, _, chunk in ordered]


@dataclass
class _TextCounts:
    """What is counted while the partition's texts are read."""

    chunks: int = 0
    empty: int = 0
    empty_chunks: list[ChunkText] = field(default_factory=list)
    fragments: int = 0
    fragment_chunks: list[ChunkText] = field(default_factory=list)
    documents: dict[str, DocumentReadability] = field(default_factory=dict)
    unreadable: _Greatest = field(default_factory=lambda: _Greatest(_EXAMPLES))

    def add(self, chunk: ChunkText) -> None:
        self.chunks += 1
        text = chunk.text.strip()
        if not text:
            self.empty += 1
            _keep(self.empty_chunks, chunk)
        elif len(text) < FRAGMENT_BYTES and len(text.encode()) < FRAGMENT_BYTES:
            self.fragments += 1
            _keep(self.fragment_chunks, chunk)
        self._add_readability(chunk)

    def _add_readability(self, chunk: ChunkText) -> None:
        share, characters = unreadable_share(chunk.text), len(chunk.text)
        former = self.documents.get(chunk.document, DocumentReadability(0, 0.0))
        self.documents[chunk.document] = DocumentReadability(
            former.characters + characters, former.unreadable + share * characters
        )
        if share:
            self.unreadable.add(share, chunk._replace(text=_excerpt(chunk.text)))


def _keep(examples: list[ChunkText], chunk: ChunkText) -> None:
    if len(examples) < _EXAMPLES:
        examples.append(chunk)


def _excerpt(text: str) -> str:
    """Take the piece of the text where its first unreadable characters are."""
    pieces = (text[at : at + _EXCERPT_CHARACTERS] for at in range(0, len(text), _EXCERPT_CHARACTERS // 2))
    return next((piece for piece in pieces if unreadable_share(piece)), text[:_EXCERPT_CHARACTERS])
