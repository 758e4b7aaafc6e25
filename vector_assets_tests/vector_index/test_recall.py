"""How recall is counted, and ef_search chosen by it."""

import numpy as np
import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.search import ChunkFilter
from vector_assets.vector_index.recall import (
    Answer,
    ExactNeighbors,
    RecallQuery,
    RecallReport,
    RecallRow,
    VectorWindow,
    choose_ef_search,
    like_question,
    measure_recall,
    queries_of,
)

US, HK = PartitionKey("us", "annual_report", "A"), PartitionKey("hk", "announcement", "1")


def vectors(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, 16)).astype(np.float16).astype(np.float32)


def test_the_exact_neighbors_of_all_windows_under_each_filter() -> None:
    """As one look at everything finds them, however it is divided."""
    everything, keys = vectors(200), [US, HK] * 100
    query = vectors(1)[0]
    asked = queries_of(HK, query, with_company=True)

    exact = ExactNeighbors(asked)
    for first in range(0, 200, 60):
        exact.add(VectorWindow(keys[first : first + 60], everything[first : first + 60]))

    cosines = everything @ query / np.linalg.norm(everything, axis=1) / np.linalg.norm(query)
    hk = np.array([key is HK for key in keys])
    for item, found in zip(asked, exact.all(), strict=True):
        wanted = np.sort(cosines if item.width == "none" else cosines[hk])[::-1][:10]
        assert found == pytest.approx(wanted, abs=1e-6), item.width


def test_recall_counts_what_is_as_near_as_the_tenth() -> None:
    """A duplicate in place of another one is no miss; a farther hit is one, and so is a missing one."""
    query = RecallQuery(vectors(1)[0], ChunkFilter(), "us", "none")
    nearest = np.array([0.9, 0.8, 0.8, 0.7], np.float32)

    def recall(*cosines: float) -> RecallRow:
        (row,) = measure_recall(40, [query], [nearest], lambda _: Answer(cosines, True, 0.001)).rows
        return row

    assert recall(0.9, 0.8, 0.8, 0.7).recall == 1
    assert recall(0.9, 0.8, 0.8, 0.6999999).recall == 1
    assert recall(0.9, 0.8, 0.6, 0.5).recall == 0.5
    assert (recall(0.9, 0.8, 0.8).recall, recall(0.9, 0.8, 0.8).missing) == (0.75, 1)


def test_a_filter_that_leaves_nothing_is_not_counted() -> None:
    """There is nothing to find."""
    query = RecallQuery(vectors(1)[0], ChunkFilter(), "us", "none")

    assert measure_recall(40, [query], [np.empty(0, np.float32)], lambda _: Answer([], True, 0.0)).rows == ()


def test_a_question_is_made_of_a_vector() -> None:
    """At a cosine of about 0.9, of length 1, and the same each time."""
    stored = np.ones(384, np.float32) / np.sqrt(384, dtype=np.float32)

    asked = like_question(stored, 7)

    assert float(asked @ stored) == pytest.approx(0.91, abs=0.02)
    assert float(np.linalg.norm(asked)) == pytest.approx(1)
    assert (asked == like_question(stored, 7)).all()


def report(ef_search: int, recall: float, missing: int = 0) -> RecallReport:
    worse = RecallRow("us", "market", 10, recall, missing, True, 1.0)
    return RecallReport(ef_search, (RecallRow("us", "none", 10, 1.0, 0, True, 1.0), worse))


@pytest.mark.parametrize(
    ("enough", "chosen", "would_do"),
    [(1, 40, None), (61, 100, None), (640, 640, None), (641, None, 1000), (1001, None, None)],
)
def test_the_smallest_ef_search_is_chosen_that_finds_enough_everywhere(
    enough: int, chosen: int | None, would_do: int | None
) -> None:
    """Beyond 640 it is only named."""
    outcome = choose_ef_search(lambda ef: report(ef, 0.98 if ef >= enough else 0.9), 0.97)

    assert (outcome.chosen, outcome.would_do) == (chosen, would_do)
    assert outcome.report.ef_search == (chosen or 640)
    assert outcome.report.lowest == (0.98 if chosen else 0.9)


def test_a_missing_hit_fails_whatever_the_recall() -> None:
    """Searches give as many hits as there are."""
    assert not report(40, 0.99, missing=1).passes(0.97)
    assert report(40, 0.99).passes(0.97)
