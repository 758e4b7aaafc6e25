"""The vectors of one space: what a batch stores, what a search finds."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from vector_assets.domain.batches import ChunkFailure, EmbeddedChunk
from vector_assets.domain.chunks import BEFORE_ALL_CHUNKS, Chunk, ChunkSelection
from vector_assets.domain.documents import Document
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.search import ChunkFilter
from vector_assets.domain.spaces import EmbeddingSpace
from vector_assets.errors import NothingToSearch, SpaceNotFound, SpaceNotLive
from vector_assets.search import Search, Searcher
from vector_assets.storage.database import Database
from vector_assets.storage.vectors import PostgresVectorStore

from ..fakes import KEY, SPACE, HashEmbedder, make_live, make_vectorizer, rows, store_chunks, vector_of
from ..invariants import check_invariants
from ..stores import PostgresStores, Stores
from .servers import connect, wait_until_waiting

HK = PartitionKey("hk", "announcement", "00700")


@pytest.fixture
def search(stores: Stores) -> Search:
    """Two partitions with three chunks each."""
    store_chunks(stores.database, ["a", "b", "c"])
    store_chunks(stores.database, ["甲", "乙", "丙"], HK)
    hk = Document(f"{HK}/a.txt", HK, "腾讯控股有限公司", "公告", "2025-03", "zh", "甲\n乙\n丙", "1")
    stores.documents.save([hk], [])
    vectorizer = make_vectorizer(stores.database, HashEmbedder())
    for key in (KEY, HK):
        vectorizer.vectorize_partition(key)
    return search_of(stores)


def search_of(stores: Stores) -> Search:
    """A search that has an embedder for any space."""
    return Search(stores.spaces, lambda space: Searcher(HashEmbedder(space), stores.vectors(space.slug)))


def test_the_same_text_is_found_first(search: Search) -> None:
    """Score 1, best first, with its place and what is known of its document."""
    hits = search.find("乙", limit=6)

    about = (hits[0].company_name, hits[0].title, hits[0].period, hits[0].language)
    assert about == ("腾讯控股有限公司", "公告", "2025-03", "zh")
    assert (hits[0].text, hits[0].partition, hits[0].document, hits[0].chunk_index) == ("乙", HK, f"{HK}/a.txt", 1)
    assert hits[0].score == pytest.approx(1, abs=1e-3)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (ChunkFilter(markets=("hk",)), {"甲", "乙", "丙"}),
        (ChunkFilter(doc_types=("annual_report",)), {"a", "b", "c"}),
        (ChunkFilter(stock_codes=("00700", "XTEST")), {"a", "b", "c", "甲", "乙", "丙"}),
        (ChunkFilter(markets=("us",), stock_codes=("00700",)), set()),
        (ChunkFilter(partitions=(HK, replace(KEY, market="cn"))), {"甲", "乙", "丙"}),
        (ChunkFilter(periods=("2024", "1999")), {"a", "b", "c"}),
        (ChunkFilter(languages=("zh",)), {"甲", "乙", "丙"}),
        (ChunkFilter(periods=("2024",), languages=("zh",)), set()),
    ],
)
def test_a_filter_narrows_the_search(search: Search, where: ChunkFilter, expected: set[str]) -> None:
    """Market, type, company, period and language, each alone and together."""
    assert {hit.text for hit in search.find("a", where, limit=9)} == expected


def test_an_edited_chunk_is_missing_rather_than_wrong(search: Search, stores: Stores) -> None:
    """A vector older than its text is never an answer."""
    stores.edit("b", "edited")

    assert {hit.text for hit in search.find("b", ChunkFilter(markets=("us",)), limit=9)} == {"a", "c"}


def test_the_space_that_serves_answers(search: Search, stores: Stores) -> None:
    """Another one does from its promotion on, whatever it holds by then; a filling one is not searched."""
    other = replace(SPACE, model="other")
    make_vectorizer(stores.database, HashEmbedder(other)).vectorize_partition(HK)
    assert len(search.find("a", limit=9)) == 6

    stores.spaces.promote(other.slug)

    assert len(search.find("a", limit=9)) == 3
    stores.spaces.promote(SPACE.slug)
    assert len(search.find("a", limit=9)) == 6


def test_a_space_that_is_dropped_while_a_question_is_embedded_is_not_missed(stores: Stores) -> None:
    """Another one serves since: the question is put to that one."""
    store_chunks(stores.database, ["a"])
    other = replace(SPACE, model="other")
    for space in (SPACE, other):
        make_vectorizer(stores.database, HashEmbedder(space)).vectorize_partition(KEY)

    def searcher(space: EmbeddingSpace) -> Searcher:
        if space == SPACE:
            stores.spaces.promote(other.slug)
            stores.spaces.drop(SPACE.slug)
        return Searcher(HashEmbedder(space), stores.vectors(space.slug))

    assert [hit.text for hit in Search(stores.spaces, searcher).find("a")] == ["a"]


def test_without_a_space_there_is_nothing_to_search(stores: Stores) -> None:
    """Nor where one is filled and none serves."""
    for _ in range(2):
        with pytest.raises(NothingToSearch):
            search_of(stores).find("a")
        stores.spaces.add(SPACE)


def test_an_unknown_space_cannot_be_searched(stores: Stores) -> None:
    """It was dropped, or never there."""
    with pytest.raises(SpaceNotFound, match="never_there"):
        stores.vectors("never_there").nearest(vector_of("a"), ChunkFilter(), 5)


def pending(stores: Stores) -> list[Chunk]:
    """The pending chunks, as the loop reads them."""
    make_live(stores.database)
    return stores.chunks(SPACE.slug).read_window(ChunkSelection(partition=KEY), BEFORE_ALL_CHUNKS, 100).chunks


def embedded(chunks: list[Chunk]) -> list[EmbeddedChunk]:
    """The chunks with their vectors."""
    tokens = HashEmbedder().tokenize([chunk.text for chunk in chunks])
    return [EmbeddedChunk(chunk, item, vector_of(chunk.text)) for chunk, item in zip(chunks, tokens, strict=True)]


def test_a_commit_stores_the_vectors_of_unchanged_texts(stores: Stores) -> None:
    """Promise 1: those whose text was edited or deleted meanwhile are superseded, and an edited one stays pending."""
    store_chunks(stores.database, ["same", "old", "gone"])
    chunks = pending(stores)
    stores.edit("old", "new")
    stores.delete_chunk("gone")

    stored = stores.vectors(SPACE.slug).commit_batch(embedded(chunks), [], "run")

    assert stored == {chunk.id for chunk in chunks if chunk.text == "same"}
    assert set(stores.vectors_by_text(SPACE.slug)) == {"same"}
    assert [chunk.text for chunk in pending(stores)] == ["new"]


def test_the_same_commit_twice_stores_the_same(stores: Stores) -> None:
    """Its answer was lost and it is done again: the same ids are returned, and each chunk has one vector."""
    store_chunks(stores.database, ["a", "b"])
    batch = embedded(pending(stores))
    store = stores.vectors(SPACE.slug)

    stored = [store.commit_batch(batch, [], "run") for _ in range(2)]

    assert stored[0] == stored[1] == {item.chunk.id for item in batch}
    stored_vectors = stores.vectors_by_text(SPACE.slug)
    assert set(stored_vectors) == {"a", "b"}
    assert all(np.dot(vector, vector_of(text)) > 0.99 for text, vector in stored_vectors.items())


def test_the_same_commit_after_a_change_has_not_stored_what_changed(stores: Stores) -> None:
    """Its answer was lost; a chunk that was edited or moved since is superseded, although the batch had stored it."""
    store_chunks(stores.database, ["a", "b"])
    batch = embedded(pending(stores))
    store = stores.vectors(SPACE.slug)
    assert len(store.commit_batch(batch, [], "run")) == 2

    stores.edit("b", "edited")
    assert store.commit_batch(batch, [], "run") == {item.chunk.id for item in batch if item.chunk.text == "a"}
    stores.move_documents(HK)

    assert store.commit_batch(batch, [], "run") == set()


@pytest.mark.parametrize("command", ["retire", "drop"])
def test_nothing_is_stored_in_a_space_that_is_not_live(stores: Stores, command: str) -> None:
    """Promise 7: neither a vector nor a failure."""
    stores.spaces.register_first(replace(SPACE, model="other"))
    store_chunks(stores.database, ["a", "b"])
    one, other = embedded(pending(stores))
    getattr(stores.spaces, command)(SPACE.slug)

    with pytest.raises(SpaceNotLive):
        stores.vectors(SPACE.slug).commit_batch([one], [ChunkFailure(other.chunk, "Broken", "no")], "run")

    stores.spaces.add(SPACE)
    assert stores.vectors_by_text(SPACE.slug) == {}
    assert stores.failures() == []


def test_a_batch_is_stored_whatever_serves(stores: Stores) -> None:
    """A promotion in the middle of a run stops nothing: the space is live before and after it."""
    store_chunks(stores.database, ["a", "b"])
    first, second = embedded(pending(stores))
    other = replace(SPACE, model="other")
    stores.spaces.add(other)
    store = stores.vectors(SPACE.slug)

    stored = store.commit_batch([first], [], "run")
    stores.spaces.promote(other.slug)
    stored |= store.commit_batch([second], [], "run")

    assert stored == {first.chunk.id, second.chunk.id}
    assert pending(stores) == []


def test_a_chunk_that_moved_meanwhile_is_superseded(stores: Stores) -> None:
    """Its vector would carry the old partition, where a filtered search would look for it in vain."""
    store_chunks(stores.database, ["a", "b"])
    chunks = pending(stores)
    stores.move_documents(HK)

    failure = ChunkFailure(chunks[1], "Broken", "no")
    stored = stores.vectors(SPACE.slug).commit_batch(embedded(chunks[:1]), [failure], "run")

    assert (stored, stores.vectors_by_text(SPACE.slug), stores.failures()) == (set(), {}, [])
    assert stores.chunks(SPACE.slug).count_pending(ChunkSelection(partition=HK)) == 2


def test_a_text_that_was_edited_there_and_back_is_the_text_that_was_embedded(stores: Stores) -> None:
    """The vector is right, so that it is stored."""
    store_chunks(stores.database, ["a"])
    chunks = pending(stores)
    stores.edit("a", "b")
    stores.edit("b", "a")

    assert stores.vectors(SPACE.slug).commit_batch(embedded(chunks), [], "run") == {chunks[0].id}

    assert pending(stores) == []


def test_vectors_and_failures_are_committed_together(stores: Stores) -> None:
    """Only of texts that are unchanged; a chunk that has a vector later is no longer listed."""
    store_chunks(stores.database, ["good", "bad", "edited"])
    good, bad, edited = pending(stores)
    stores.edit("edited", "new")
    failures = [ChunkFailure(chunk, "Broken", "NUL \0, half a pair \ud800") for chunk in (bad, edited)]

    stores.vectors(SPACE.slug).commit_batch(embedded([good]), failures, "run")

    assert stores.failures() == [("Broken", "NUL \\0, half a pair \\ud800", 1)]
    assert [chunk.text for chunk in pending(stores)] == ["new"]
    stores.vectors(SPACE.slug).commit_batch(embedded([bad]), [], "run")
    assert stores.failures() == []


def test_the_same_failure_twice_is_one_attempt(stores: Stores) -> None:
    """The answer was lost, or two runs failed at once. One that was due counts; new text begins at one."""
    store_chunks(stores.database, ["a"])
    (chunk,) = pending(stores)
    store = stores.vectors(SPACE.slug)

    for run in ("first", "first", "second"):
        store.commit_batch([], [ChunkFailure(chunk, "Broken", "no")], run)

    assert stores.failures() == [("Broken", "no", 1)]
    stores.set_next_attempt("second", timedelta(seconds=-1))
    store.commit_batch([], [ChunkFailure(chunk, "Broken", "no")], "third")
    assert stores.failures() == [("Broken", "no", 2)]
    stores.edit("a", "b")
    store.commit_batch([], [ChunkFailure(pending(stores)[0], "Broken", "again")], "third")
    assert stores.failures() == [("Broken", "again", 1)]


def test_a_failure_of_a_chunk_that_is_being_deleted_waits_for_nobody(database: Database) -> None:
    """Neither then, nor when the deletion is committed, does it end the batch."""
    store_chunks(database, ["a"])
    (chunk,) = pending(PostgresStores(database))
    store = PostgresVectorStore(database, SPACE.slug)

    with database.transaction() as editor:
        editor.execute("DELETE FROM document_chunks")
        stored = store.commit_batch([], [ChunkFailure(chunk, "Broken", "no")], "run")

    assert stored == set()
    assert rows(database, "SELECT * FROM pending_chunks") == []


def test_a_chunk_that_is_being_deleted_is_passed_over(database: Database) -> None:
    """A deletion holds the chunk first, then its row of the queue: a commit that waited in between would never end."""
    store_chunks(database, ["a", "b"])
    chunks = pending(PostgresStores(database))
    with connect(database.url) as deleter, deleter.transaction():
        deleter.execute("SELECT FROM document_chunks WHERE text = 'b' FOR UPDATE")  # as DELETE does

        stored = PostgresVectorStore(database, SPACE.slug).commit_batch(embedded(chunks), [], "run")

        deleter.execute("DELETE FROM document_chunks WHERE text = 'b'")

    assert stored == {chunk.id for chunk in chunks if chunk.text == "a"}
    assert check_invariants(database, HashEmbedder()).chunks == 1


def test_chunks_are_deleted_while_their_batch_is_committed(database: Database) -> None:
    """The deletion waits for the commit, which waits for none of the deleted chunks: there is no deadlock."""
    store_chunks(database, ["a", "b", "c"])
    slug, stores = SPACE.slug, PostgresStores(database)
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)
    stores.chunks(slug).queue_again(ChunkSelection(partition=KEY), "forced", None)
    batch = embedded(pending(stores))
    held = f"SELECT FROM chunk_vectors_{slug} v JOIN document_chunks c ON c.id = v.chunk_id WHERE c.text = 'b'"
    with ExitStack() as stack:
        holder, deleter, admin = (stack.enter_context(connect(database.url)) for _ in range(3))
        pool = stack.enter_context(ThreadPoolExecutor(2))
        with deleter.transaction():
            deleter.execute("DELETE FROM document_chunks WHERE text = 'c'")
            with holder.transaction():
                holder.execute(held + " FOR UPDATE OF v")
                committing = pool.submit(stores.vectors(slug).commit_batch, batch, [], "forced")
                wait_until_waiting(admin, committing)
                deleting = pool.submit(deleter.execute, "DELETE FROM document_chunks WHERE text = 'a'")
                wait_until_waiting(admin, committing, deleting)
            stored = committing.result()
            deleting.result()

    assert stored == {item.chunk.id for item in batch if item.chunk.text != "c"}
    findings = check_invariants(database, HashEmbedder())
    assert (len(findings.current), findings.chunks) == (1, 1)


def test_reference_vectors_are_stored_once(stores: Stores) -> None:
    """Those of the first process stay; another space or another set of texts has its own."""
    make_live(stores.database)
    first, second = (np.stack([vector_of(text)]) for text in ("first", "second"))
    store = stores.reference_vectors
    assert store.kept(SPACE.slug, "texts", SPACE.dimension) is None

    store.keep(SPACE.slug, "texts", first, "cpu")
    store.keep(SPACE.slug, "texts", second, "cuda")

    kept = store.kept(SPACE.slug, "texts", SPACE.dimension)
    assert kept is not None
    assert kept.device == "cpu"
    np.testing.assert_array_equal(kept.vectors, first)
    assert store.kept(SPACE.slug, "other texts", SPACE.dimension) is None
