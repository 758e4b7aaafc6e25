"""Compares two embedding spaces: what each finds, how fast, how alike; and whether a space's model is what it was."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..domain.questions import Question
from ..domain.search import SearchHit
from ..domain.spaces import EmbeddingSpace, SpaceOverview
from ..errors import EmbedderBroken, EmbedderBusy, EmbedderRefused, ModelError
from ..ports import Embedder, ReferenceVectorStore, SpacePairs
from ..quality.drift import DriftResult
from ..quality.neighbor_overlap import NeighborOverlap, PairedVectors, neighbor_overlap
from ..quality.retrieval import RetrievalFigures, first_relevant_rank
from ..search import OneSpace, Search, Searcher
from ..search_ports import LexicalIndex
from .drift_guard import DriftGuard

Progress = Callable[[str, int, int], None]
"""Is called with the slug of the space at work (empty: both), what is done, and all there is to do."""

# Chunks whose neighbors are compared: the mean of 200 shares is known to about 3 percentage points.
_SAMPLED_CHUNKS = 200
# Without a file of questions, the beginnings of so many chunks are asked for, to measure the speed alone.
_TIMED_CHUNKS, _TIMED_CHARACTERS = 20, 100


@dataclass(frozen=True)
class SpaceAnswers:
    """What a space answers to questions: by search, which also ranks by terms, and by its vectors alone.

    The two times are medians: to embed a question, and to answer it with that.
    """

    by_search: RetrievalFigures
    by_vectors: RetrievalFigures
    embedding_seconds: float
    answering_seconds: float


@dataclass(frozen=True)
class ComparedSpace:
    """A space with its counts and its answers. `problem` is why it gives none; both are None if nothing was asked."""

    overview: SpaceOverview
    answers: SpaceAnswers | None = None
    problem: ModelError | None = None


@dataclass(frozen=True)
class SpaceComparison:
    """Two spaces, how alike they are, and how many questions with known answers they were asked."""

    one: ComparedSpace
    other: ComparedSpace
    overlap: NeighborOverlap
    questions: int


def no_progress(_space: str, _done: int, _total: int) -> None:
    """Report to nobody."""


class SpaceAudit:
    """Looks into registered spaces, each with its own model. A model that was loaded is kept.

    Args:
        searcher_of: makes what answers questions in a space.
        lexical: finds chunks by terms, in any space; None: vectors alone are compared.
        min_cosine: below it, the vectors of the reference texts have drifted.
    """

    def __init__(
        self,
        pairs: SpacePairs,
        reference_vectors: ReferenceVectorStore,
        searcher_of: Callable[[EmbeddingSpace], Searcher],
        lexical: LexicalIndex | None,
        min_cosine: float,
    ) -> None:
        self._pairs = pairs
        self._reference_vectors = reference_vectors
        self._searcher_of = searcher_of
        self._lexical = lexical
        self._min_cosine = min_cosine
        self._searchers: dict[str, Searcher] = {}

    def compare(
        self,
        one: SpaceOverview,
        other: SpaceOverview,
        questions: Sequence[Question] = (),
        progress: Progress = no_progress,
    ) -> SpaceComparison:
        """Compare two spaces. A model that cannot be used costs the answers of its space only."""
        slugs = one.registered.space.slug, other.registered.space.slug
        sample = self._pairs.sample(*slugs, _SAMPLED_CHUNKS)
        windows = _counted(self._pairs.windows(*slugs), one.chunks, progress)
        overlap = neighbor_overlap(sample, windows)
        asked = questions or [Question(text[:_TIMED_CHARACTERS], frozenset()) for text in sample.texts[:_TIMED_CHUNKS]]
        return SpaceComparison(
            self._compared(one, asked, progress), self._compared(other, asked, progress), overlap, len(questions)
        )

    def _compared(self, overview: SpaceOverview, questions: Sequence[Question], progress: Progress) -> ComparedSpace:
        if not questions:
            return ComparedSpace(overview)
        try:
            return ComparedSpace(overview, self.answers(overview.registered.space, questions, progress))
        except ModelError as error:
            return ComparedSpace(overview, problem=error)

    def answers(
        self, space: EmbeddingSpace, questions: Sequence[Question], progress: Progress = no_progress
    ) -> SpaceAnswers:
        """Ask a space, whatever its status, at least one question.

        Raises:
            ModelError: the space's model cannot be used.
        """
        progress(space.slug, 0, len(questions))
        searcher = self._searcher(space)
        search = Search(OneSpace(space), lambda _: searcher, self._lexical)
        searcher.embedder.load()
        by_search, by_vectors, embedding, answering = [], [], [], []
        for number, question in enumerate(questions, 1):
            begun = time.perf_counter()
            _embed(searcher.embedder, question)
            embedded = time.perf_counter()
            hits = search.candidates(question.text)
            answering.append(time.perf_counter() - embedded)
            embedding.append(embedded - begun)
            by_search.append(_rank(hits, question))
            by_vectors.append(_rank(_nearest(hits), question))
            progress(space.slug, number, len(questions))
        figures = RetrievalFigures.of(by_search), RetrievalFigures.of(by_vectors)
        return SpaceAnswers(*figures, statistics.median(embedding), statistics.median(answering))

    def check_drift(self, space: EmbeddingSpace) -> DriftResult:
        """Compare the model's vectors of the reference texts with those that the space has.

        Raises:
            ModelError: the model cannot be used, or makes other vectors.
        """
        guard = DriftGuard(self._searcher(space).embedder, self._reference_vectors, space, self._min_cosine)
        guard.check()
        assert guard.result is not None
        return guard.result

    def _searcher(self, space: EmbeddingSpace) -> Searcher:
        if space.slug not in self._searchers:
            self._searchers[space.slug] = self._searcher_of(space)
        return self._searchers[space.slug]


def _counted(windows: Iterator[PairedVectors], chunks: int, progress: Progress) -> Iterator[PairedVectors]:
    """Pass windows on, and report how many chunks they have so far."""
    done = 0
    progress("", done, chunks)
    for window in windows:
        yield window
        done += len(window.ids)
        progress("", min(done, chunks), chunks)


def _embed(embedder: Embedder, question: Question) -> None:
    try:
        embedder.embed_query(question.text)
    except (EmbedderBusy, EmbedderRefused):
        raise
    except Exception as error:
        raise EmbedderBroken(embedder.space.model, error) from error


def _rank(hits: Sequence[SearchHit], question: Question) -> int | None:
    return first_relevant_rank((hit.document for hit in hits), question.relevant_documents)


def _nearest(hits: Sequence[SearchHit]) -> list[SearchHit]:
    """Give the hits that are among the nearest vectors, the nearest first."""
    return sorted((hit for hit in hits if hit.dense_rank), key=lambda hit: hit.dense_rank or 0)
