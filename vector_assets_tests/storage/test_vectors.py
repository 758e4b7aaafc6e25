"""Search in one space's table, and what becomes of failures there."""

import pytest

from vector_assets.domain.batches import ChunkFailure
from vector_assets.domain.chunks import Chunk, ChunkSelection
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.search import SearchFilter
from vector_assets.errors import InvalidSetting
from vector_assets.search import Search
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.vectors import PostgresVectorStore

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks

HK = PartitionKey("hk", "announcement", "00700")


@pytest.fixture
def search(database: Database) -> Search:
    """Two partitions with three chunks each."""
    store_chunks(database, ["a", "b", "c"])
    store_chunks(database, ["甲", "乙", "丙"], HK)
    embedder = HashEmbedder()
    vectorizer = make_vectorizer(database, embedder)
    for key in (KEY, HK):
        vectorizer.vectorize_partition(key)
    return Search(embedder, PostgresVectorStore(database, SPACE.slug))


def test_the_same_text_is_found_first(search: Search) -> None:
    """Score 1, best first, with its place."""
    hits = search.find("乙", limit=6)

    assert (hits[0].text, hits[0].partition, hits[0].document, hits[0].chunk_index) == ("乙", HK, f"{HK}/a.txt", 1)
    assert hits[0].score == pytest.approx(1, abs=1e-3)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (SearchFilter(market="hk"), {"甲", "乙", "丙"}),
        (SearchFilter(doc_type="annual_report"), {"a", "b", "c"}),
        (SearchFilter(stock_code="00700"), {"甲", "乙", "丙"}),
        (SearchFilter(market="us", stock_code="00700"), set()),
    ],
)
def test_a_filter_narrows_the_search(search: Search, where: SearchFilter, expected: set[str]) -> None:
    """Market, type and company, each alone and together."""
    assert {hit.text for hit in search.find("a", where, limit=9)} == expected


def test_an_edited_chunk_is_missing_rather_than_wrong(search: Search, database: Database) -> None:
    """A vector older than its text is never an answer."""
    rows(database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'b'")

    assert {hit.text for hit in search.find("b", SearchFilter(market="us"), limit=9)} == {"a", "c"}


@pytest.mark.parametrize(("question", "limit"), [("  ", 5), ("a", 0), ("a", -1)])
def test_a_senseless_question_is_refused(search: Search, question: str, limit: int) -> None:
    """Promise 11."""
    with pytest.raises(InvalidSetting):
        search.find(question, limit=limit)


def only_chunk(database: Database) -> Chunk:
    """As the loop reads it."""
    store = PostgresChunkStore(database, SPACE.slug)
    (chunk,) = store.read_window(ChunkSelection(partition=KEY), 0, 1_000_000, 2).chunks
    return chunk


def test_a_failure_of_a_chunk_that_is_being_deleted_waits_for_nobody(database: Database) -> None:
    """Neither then, nor when the deletion is committed, does it end the batch."""
    store_chunks(database, ["a"])
    embedder = HashEmbedder()
    make_vectorizer(database, embedder)
    chunk = only_chunk(database)
    store = PostgresVectorStore(database, SPACE.slug)

    with database.transaction() as editor:
        editor.execute("DELETE FROM document_chunks")
        stored = store.commit_batch([], [ChunkFailure(chunk, "Broken", "no")], "run")

    assert stored == set()
    assert rows(database, "SELECT * FROM chunk_failures") == []


def test_the_same_commit_twice_is_one_attempt(database: Database) -> None:
    """Its answer was lost and it is done again; another run's is another attempt."""
    store_chunks(database, ["a"])
    make_vectorizer(database, HashEmbedder())
    chunk = only_chunk(database)
    store = PostgresVectorStore(database, SPACE.slug)

    for run in ("first", "first", "second"):
        store.commit_batch([], [ChunkFailure(chunk, "Broken", "no")], run)

    assert rows(database, "SELECT attempts FROM chunk_failures") == [(2,)]
