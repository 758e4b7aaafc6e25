"""Answers a question in the space that serves at that moment: by vectors and by terms, fused into one ranking."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ..domain.search import ChunkFilter, SearchableQuestion, SearchHit
from ..domain.spaces import EmbeddingSpace
from ..domain.terms import QuestionTerms, term_counts
from ..errors import EmbedderBusy, EmbedderRefused, NothingToSearch, SpaceNotFound
from ..ports import Embedder, ServingSpace
from ..search_ports import LexicalIndex, Reranker, SearchableVectors
from ..translation import translate
from .fusion import fused_scores
from .question_checks import check_limit, check_question

logger = logging.getLogger(__name__)

# Candidates of each ranking. The standard scores are taken over them, so that fewer would depend on chance.
_CANDIDATES = 100
# Of these, so many are read again where a second stage is set: beyond them an answer is rare, and each takes time.
_RERANKED = 50

ALL_CHUNKS = ChunkFilter()


class Searcher(NamedTuple):
    """What answers questions in one embedding space."""

    embedder: Embedder
    vectors: SearchableVectors


@dataclass(frozen=True)
class OneSpace:
    """Lets one space be searched, whatever serves."""

    space: EmbeddingSpace

    def serving(self) -> EmbeddingSpace:
        """Give the space."""
        return self.space


class Search:
    """Search in the serving embedding space: the nearest vectors, and the chunks with the question's terms.

    Args:
        spaces: says which space serves.
        searcher_of: makes what answers questions in a space. The one of the last question is kept.
        lexical: finds chunks by terms; None: vectors alone are compared.
        reranker: reads the best candidates again, and puts them into its order; None: there is no second stage.
    """

    def __init__(
        self,
        spaces: ServingSpace,
        searcher_of: Callable[[EmbeddingSpace], Searcher],
        lexical: LexicalIndex | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self._spaces = spaces
        self._searcher_of = searcher_of
        self._lexical = lexical
        self._reranker = reranker
        self._last: tuple[EmbeddingSpace, Searcher] | None = None

    def find(self, question: str, where: ChunkFilter = ALL_CHUNKS, limit: int = 5) -> list[SearchHit]:
        """Find the chunks that answer the question best, best first.

        Raises:
            InvalidQuestion: the question has no word or is too long, or the limit is no number of hits.
            NothingToSearch: no space serves yet.
            WeightsChanged: the model at hand has other weights than the vectors were made with.
        """
        return self.candidates(question, where, limit)[:limit]

    def candidates(self, question: str, where: ChunkFilter = ALL_CHUNKS, limit: int = 5) -> list[SearchHit]:
        """Find what `find` shortens to the limit: the candidates of both rankings, a hundred of each, best first."""
        return self.ask(question, where, limit)[1]

    def ask(self, question: str, where: ChunkFilter, limit: int) -> tuple[EmbeddingSpace, list[SearchHit]]:
        """Find the candidates, and say which space they were found in."""
        check_question(question)
        check_limit(limit)
        while True:
            space = self._spaces.serving()
            if space is None:
                raise NothingToSearch
            try:
                found = self._find(self._searcher(space), question, where, limit)
                return space, self._reranked(question, found, max(limit, _RERANKED))
            except SpaceNotFound:
                # Another space serves since, and this one was dropped.
                if self._spaces.serving() == space:
                    raise

    def question(self, text: str) -> SearchableQuestion:
        """Embed a question in the space that serves, and give it with the ids of its terms."""
        check_question(text)
        space = self._spaces.serving()
        if space is None:
            raise NothingToSearch
        vector = self._searcher(space).embedder.embed_query(text)
        return SearchableQuestion(tuple(vector.tolist()), tuple(term_counts(text).term_ids))

    def _find(self, searcher: Searcher, question: str, where: ChunkFilter, limit: int) -> list[SearchHit]:
        """Look for terms in a thread, while this one embeds the question and compares vectors."""
        candidates = max(limit, _CANDIDATES)
        with ThreadPoolExecutor(1, "vector_assets terms") as beside:
            by_terms = beside.submit(self._by_terms, question, where, candidates)
            try:
                vector = searcher.embedder.embed_query(question)
            except (EmbedderBusy, EmbedderRefused) as error:
                return _unscored(error, searcher.vectors, by_terms.result())
            dense = [
                replace(hit, dense_rank=rank)
                for rank, hit in enumerate(searcher.vectors.nearest(vector, where, candidates), 1)
            ]
        found = by_terms.result()
        if self._lexical is None or found is None:
            return dense
        return _fused(self._lexical, found, searcher.vectors, vector, dense)

    def _reranked(self, question: str, hits: list[SearchHit], most: int) -> list[SearchHit]:
        """Let the second stage order the first hits; those after them stay where they are."""
        if self._reranker is None or len(hits) < 2:
            return hits
        scores = self._reranker.scores(question, [hit.text for hit in hits[:most]])
        return [hits[place] for place in np.argsort(-scores, kind="stable")] + hits[most:]

    def _by_terms(self, question: str, where: ChunkFilter, candidates: int) -> "_FoundByTerms | None":
        """Find the candidates of the terms; None where the question has none, or nothing was counted yet."""
        terms = self._lexical.question(term_counts(question)) if self._lexical is not None else None
        if self._lexical is None or terms is None:
            return None
        return _FoundByTerms(terms, dict(self._lexical.candidates(terms, where, candidates)))

    def _searcher(self, space: EmbeddingSpace) -> Searcher:
        if self._last is None or self._last[0] != space:
            self._last = space, self._searcher_of(space)
        return self._last[1]


class _FoundByTerms(NamedTuple):
    """The terms of a question, and the BM25 of the chunks that were found by them, best first."""

    terms: QuestionTerms
    scores: dict[UUID, float]

    @property
    def ranks(self) -> dict[UUID, int]:
        """The rank of each chunk."""
        return {chunk_id: rank for rank, chunk_id in enumerate(self.scores, 1)}


def _unscored(
    error: EmbedderBusy | EmbedderRefused, vectors: SearchableVectors, found: _FoundByTerms | None
) -> list[SearchHit]:
    """Give what was found by terms alone, since the server that embeds the question is away; the hits have no score.

    Raises:
        EmbedderBusy, EmbedderRefused: nothing can be found by terms.
    """
    if found is None:
        raise error
    logger.warning(
        translate("the question has no vector, so that chunks are found by its terms only: {error}", error=error)
    )
    ranks = found.ranks
    hits = [replace(hit, lexical_rank=ranks[_id_of(hit)]) for hit in vectors.unscored(list(ranks))]
    return sorted(hits, key=lambda hit: hit.lexical_rank or 0)


def _fused(
    lexical: LexicalIndex,
    found: _FoundByTerms,
    vectors: SearchableVectors,
    vector: NDArray[np.float32],
    dense: Sequence[SearchHit],
) -> list[SearchHit]:
    """Rank the candidates of both rankings by both scores."""
    ranks, known = found.ranks, {hit.chunk_id for hit in dense}
    others = vectors.similarities(vector, [chunk_id for chunk_id in ranks if chunk_id not in known])
    hits = [replace(hit, lexical_rank=ranks.get(_id_of(hit))) for hit in [*dense, *others]]
    missing = [_id_of(hit) for hit in hits if _id_of(hit) not in ranks]
    return _by_both_scores(hits, found.scores | lexical.scores(found.terms, missing))


def _by_both_scores(hits: Sequence[SearchHit], lexical: Mapping[UUID, float]) -> list[SearchHit]:
    """Sort by the fused scores; equal ones by the cosine, then by id."""
    if not hits:
        return []
    cosines = np.array([hit.score for hit in hits], dtype=np.float64)
    fused = fused_scores(cosines, np.array([lexical.get(_id_of(hit), 0.0) for hit in hits]))
    order = sorted(range(len(hits)), key=lambda place: (-fused[place], -cosines[place], _id_of(hits[place])))
    return [hits[place] for place in order]


def _id_of(hit: SearchHit) -> UUID:
    assert hit.chunk_id is not None, "stores give the ids of chunks"
    return hit.chunk_id
