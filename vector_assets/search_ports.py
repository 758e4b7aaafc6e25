"""What search needs of its stores, and what may rank its answers once more: protocols of a few methods."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from .domain.partition_keys import PartitionKey
from .domain.search import ChunkFilter, Passage, SearchCoverage, SearchHit
from .domain.terms import QuestionTerms, QueuedText, TermCounts


class SearchableVectors(Protocol):
    """Where a question is compared with the current vectors of a space."""

    def nearest(self, vector: NDArray[np.float32], where: ChunkFilter, limit: int) -> list[SearchHit]:
        """Find the chunks with the greatest cosine similarity, best first: `limit` of them, if there are so many."""
        ...

    def similarities(self, vector: NDArray[np.float32], chunk_ids: Sequence[UUID]) -> list[SearchHit]:
        """Compare with the vectors of these chunks, in any order; a chunk without a current one is left out."""
        ...

    def unscored(self, chunk_ids: Sequence[UUID]) -> list[SearchHit]:
        """Give the chunks with these ids as hits without a score, in any order."""
        ...


class SearchableChunks(Protocol):
    """What search asks of chunks besides vectors and terms."""

    def partitions(self) -> dict[PartitionKey, int]:
        """Count the chunks of each partition that has any."""
        ...

    def periods_and_languages(self) -> set[tuple[str, str]]:
        """List which periods and languages documents have, together; empty where a document has none."""
        ...

    def coverage(self, space_slug: str, where: ChunkFilter) -> SearchCoverage:
        """Count the chunks that the filter names, and those of them that have a current vector in the space."""
        ...

    def passage(self, chunk_id: UUID, around: int) -> Passage | None:
        """Read a chunk with so many of its document's chunks before and after it; None: there is no such chunk."""
        ...


class TermStore(Protocol):
    """Where the terms of chunks are stored, and which chunks need theirs."""

    def queued(self, partition: PartitionKey, after_id: UUID, limit: int) -> list[QueuedText]:
        """Read chunks whose terms are missing or outdated, by id."""
        ...

    def store(self, partition: PartitionKey, found: Sequence[tuple[QueuedText, TermCounts]]) -> None:
        """Store the terms of chunks, except where the text has changed since it was read."""
        ...

    def refresh_statistics(self, least_change: float) -> bool:
        """Count in how many chunks each term occurs, if the number of chunks has changed by this share since."""
        ...


class LexicalIndex(Protocol):
    """Where chunks are found by their terms."""

    def question(self, counts: TermCounts) -> QuestionTerms | None:
        """Look the terms of a question up; None where nothing can be found by terms."""
        ...

    def candidates(self, question: QuestionTerms, where: ChunkFilter, limit: int) -> list[tuple[UUID, float]]:
        """Find the chunks with the highest BM25, best first."""
        ...

    def scores(self, question: QuestionTerms, chunk_ids: Sequence[UUID]) -> dict[UUID, float]:
        """Compute the BM25 of the chunks; one that has none of the terms is left out."""
        ...


class Reranker(Protocol):
    """The second stage of a search: reads the question and a text together."""

    def scores(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Score how well each text answers the question, in order; the greater, the better."""
        ...
