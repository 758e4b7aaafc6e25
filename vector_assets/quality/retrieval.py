"""Measures of retrieval: how often a ranking has a document that answers, and how far up."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

RANKS = (1, 5, 10)
"""The ranks up to which hits are counted."""


@dataclass(frozen=True)
class RetrievalFigures:
    """What so many questions found: `hits` has, for each of `RANKS`, how many found a relevant document up to there.

    `mean_reciprocal_rank` is the mean of 1 / the rank of the first relevant document, 0 where there is none.
    """

    questions: int
    hits: tuple[int, ...]
    mean_reciprocal_rank: float

    @classmethod
    def of(cls, ranks: Sequence[int | None]) -> Self:
        """Sum up the rank of the first relevant document of each question; None: it was not found."""
        found = [rank for rank in ranks if rank is not None]
        hits = tuple(sum(rank <= limit for rank in found) for limit in RANKS)
        return cls(len(ranks), hits, sum(1 / rank for rank in found) / len(ranks) if ranks else 0.0)

    def hits_at(self, rank: int) -> int:
        """Count the questions with a relevant document up to one of `RANKS`."""
        return self.hits[RANKS.index(rank)]

    def hit_rate(self, rank: int) -> float:
        """Give the share of those questions; 0 where there is no question."""
        return self.hits_at(rank) / self.questions if self.questions else 0.0


def first_relevant_rank(ranking: Iterable[str], relevant: Collection[str]) -> int | None:
    """Find the rank, from 1, of the first relevant document; None: there is none.

    `ranking` has the document of each chunk, best first: a document ranks where its best chunk does.
    """
    documents = dict.fromkeys(ranking)
    return next((rank for rank, document in enumerate(documents, 1) if document in relevant), None)
