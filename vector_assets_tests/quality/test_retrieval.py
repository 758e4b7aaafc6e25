"""Measures of retrieval."""

import pytest

from vector_assets.quality.retrieval import RetrievalFigures, first_relevant_rank


def test_a_document_ranks_where_its_best_chunk_does() -> None:
    """Each document counts once, however many of its chunks were found."""
    ranking = ["a", "b", "a", "a", "c"]

    assert first_relevant_rank(ranking, {"a", "c"}) == 1
    assert first_relevant_rank(ranking, {"c"}) == 3
    assert first_relevant_rank(ranking, {"d"}) is None


def test_hits_and_reciprocal_ranks_are_summed_up() -> None:
    """A question that finds nothing counts as a reciprocal rank of 0."""
    figures = RetrievalFigures.of([1, 2, 5, 6, 11, None])

    assert figures.hits == (1, 3, 4)
    assert (figures.hits_at(5), figures.hit_rate(5)) == (3, 0.5)
    assert figures.mean_reciprocal_rank == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 6 + 1 / 11) / 6)


def test_no_questions_have_no_hits() -> None:
    """Nothing is divided by zero."""
    nothing = RetrievalFigures.of([])

    assert (nothing.questions, nothing.hit_rate(1), nothing.mean_reciprocal_rank) == (0, 0.0, 0.0)
