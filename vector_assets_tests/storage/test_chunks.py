"""Chunks as the loop reads them: what a selection holds, window by window."""

from datetime import timedelta
from uuid import UUID

import pytest

from vector_assets.domain.chunks import BEFORE_ALL_CHUNKS, ChunkSelection, text_hash
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database

from ..fakes import KEY, SPACE, HashEmbedder, make_live, make_vectorizer, rows, store_chunks
from ..stores import PostgresStores, Stores

OTHER = PartitionKey("cn", "announcement", "999001")
PARTITION = ChunkSelection(partition=KEY)
_LAST = UUID(int=2**128 - 1)


@pytest.fixture
def filled(stores: Stores) -> Stores:
    """One current, one quarantined and three pending chunks, and a pending one in another partition."""
    store_chunks(stores.database, ["current", "POISON"])
    make_vectorizer(stores.database, HashEmbedder()).vectorize_partition(KEY)
    store_chunks(stores.database, ["one", "two", "three"], name="b.txt")
    store_chunks(stores.database, ["elsewhere"], OTHER)
    return stores


def ids(stores: Stores, *texts: str) -> tuple[UUID, ...]:
    """The chunks' ids, sorted."""
    found = stores.texts()
    return tuple(sorted(id_ for text in texts for id_, _ in found[text]))


def test_a_partition_holds_what_is_pending_there(filled: Stores) -> None:
    """In a space that is not registered, all that it has."""
    chunks = filled.chunks(SPACE.slug)

    assert chunks.count_pending(PARTITION) == 3
    assert chunks.count_pending(ChunkSelection(partition=PartitionKey("us", "annual_report", "NONE"))) == 0
    assert filled.chunks("another").count_pending(PARTITION) == 5
    assert filled.chunks("another").count_pending(ChunkSelection(chunk_ids=ids(filled, "current", "one"))) == 2


def test_a_chunk_is_read_with_all_that_the_loop_needs(filled: Stores) -> None:
    """Its document's path, its place, its text and hash."""
    chunk = filled.chunks(SPACE.slug).read_window(PARTITION, BEFORE_ALL_CHUNKS, 1).chunks[0]

    assert (chunk.partition, chunk.document, chunk.chunk_index) == (KEY, f"{KEY}/b.txt", 0)
    assert (chunk.text, chunk.content_hash) == ("one", text_hash("one"))


def test_windows_cover_a_partition_once_by_id(filled: Stores) -> None:
    """Each says where the next one begins; the last says that there is none."""
    chunks = filled.chunks(SPACE.slug)
    one, two, three = ids(filled, "one", "two", "three")

    first = chunks.read_window(PARTITION, BEFORE_ALL_CHUNKS, 2)
    second = chunks.read_window(PARTITION, first.resume_after or _LAST, 2)

    assert ([chunk.id for chunk in first.chunks], first.resume_after) == ([one, two], two)
    assert ([chunk.id for chunk in second.chunks], second.resume_after) == ([three], None)


def test_chunks_by_id_are_looked_at_by_windows_of_ids(filled: Stores) -> None:
    """Of any partition; those that are not pending are passed over, and unknown ids too."""
    chunks = filled.chunks(SPACE.slug)
    asked = (*ids(filled, "current", "POISON", "two", "elsewhere"), _LAST)
    selection = ChunkSelection(chunk_ids=asked)

    first = chunks.read_window(selection, BEFORE_ALL_CHUNKS, 3)
    second = chunks.read_window(selection, first.resume_after or _LAST, 3)

    assert ([chunk.text for chunk in first.chunks], first.resume_after) == (["two"], asked[2])
    assert ([chunk.text for chunk in second.chunks], second.resume_after) == (["elsewhere"], _LAST)
    assert chunks.read_window(selection, _LAST, 3).resume_after is None
    assert chunks.count_pending(selection) == 2


@pytest.mark.parametrize("by_id", [False, True], ids=["partition", "ids"])
def test_a_window_holds_only_so_much_text_but_at_least_one_chunk(
    database: Database, monkeypatch: pytest.MonkeyPatch, by_id: bool
) -> None:
    """Bytes are counted, not characters; what does not fit is in the next window."""
    monkeypatch.setattr("vector_assets.storage.chunks._MOST_BYTES", 20)
    texts = ["a" * 12, "中" * 4, "b", "c" * 100, "d" * 19, "e"]
    stores = PostgresStores(database)
    store_chunks(database, texts)
    make_live(database)
    selection = ChunkSelection(chunk_ids=ids(stores, *texts)) if by_id else PARTITION

    windows, after_id = [], BEFORE_ALL_CHUNKS
    while after_id is not None:
        window = stores.chunks(SPACE.slug).read_window(selection, after_id, 5)
        windows.append([chunk.text for chunk in window.chunks])
        after_id = window.resume_after

    assert [window for window in windows if window] == [texts[:2], texts[2:4], texts[4:]]


def test_all_that_a_run_has_not_embedded_is_queued_again(filled: Stores) -> None:
    """A quarantined chunk becomes due and keeps its attempts; what this run has embedded already is left out."""
    chunks = filled.chunks(SPACE.slug)
    make_vectorizer(filled.database, HashEmbedder()).vectorize_chunks(ids(filled, "one"), run_id="forced")

    chunks.queue_again(PARTITION, "forced", None)

    window = chunks.read_window(PARTITION, BEFORE_ALL_CHUNKS, 9)
    assert {chunk.text for chunk in window.chunks} == {"current", "POISON", "two", "three"}
    assert [attempts for _, _, attempts in filled.failures()] == [1]
    assert chunks.count_pending(ChunkSelection(partition=OTHER)) == 1


def test_with_a_limit_the_oldest_vectors_and_failures_are_queued_again_first(stores: Stores) -> None:
    """What has neither comes before them, and what the run has embedded already counts towards the limit."""
    store_chunks(stores.database, ["none", "b", "POISON", "d", "e"])
    vectorizer = make_vectorizer(stores.database, HashEmbedder())
    for text in ("d", "POISON", "b", "e"):
        vectorizer.vectorize_chunks(ids(stores, text), run_id=f"run of {text}")
    chunks = stores.chunks(SPACE.slug)

    chunks.queue_again(PARTITION, "run of e", 4)

    window = chunks.read_window(PARTITION, BEFORE_ALL_CHUNKS, 9)
    assert {chunk.text for chunk in window.chunks} == {"none", "d", "POISON"}


def test_nothing_is_queued_again_in_a_space_that_is_not_live(stores: Stores) -> None:
    """Of a space that is not registered, every chunk is pending anyway."""
    store_chunks(stores.database, ["a"])
    chunks = stores.chunks(SPACE.slug)

    chunks.queue_again(PARTITION, "forced", None)

    assert chunks.count_pending(PARTITION) == 1
    make_live(stores.database)
    assert chunks.count_pending(PARTITION) == 1


def test_a_chunk_that_is_deleted_while_chunks_are_queued_again_stays_away(database: Database) -> None:
    """It is neither waited for nor left in the queue without its chunk."""
    store_chunks(database, ["stays", "goes"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    with database.transaction() as deleter:
        deleter.execute("DELETE FROM document_chunks WHERE text = 'goes'")
        PostgresChunkStore(database, SPACE.slug).queue_again(PARTITION, "forced", None)

    queued = "SELECT c.text FROM pending_chunks p LEFT JOIN document_chunks c ON c.id = p.chunk_id"
    assert rows(database, queued) == [("stays",)]


def test_a_chunk_that_is_edited_while_chunks_are_queued_again_has_its_new_text_in_the_queue(database: Database) -> None:
    """It is not waited for: by the time it is free, a run may have embedded the new text already."""
    store_chunks(database, ["stays", "old"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    with database.transaction() as editor:
        editor.execute("UPDATE document_chunks SET text = 'new' WHERE text = 'old'")
        PostgresChunkStore(database, SPACE.slug).queue_again(PARTITION, "forced", None)

    queued = "SELECT c.text FROM pending_chunks p JOIN document_chunks c USING (content_hash) ORDER BY 1"
    assert rows(database, queued) == [("new",), ("stays",)]


def test_the_newest_pending_text_is_found(database: Database) -> None:
    """Of the chunks that are due; None where nothing is."""
    store_chunks(database, ["old", "POISON", "new"])
    chunks = PostgresChunkStore(database, SPACE.slug)
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)
    assert chunks.newest_pending_at(KEY) is None

    rows(database, "UPDATE document_chunks SET text = 'older' WHERE text = 'old'")
    rows(database, "UPDATE document_chunks SET text = 'newer' WHERE text = 'new'")
    later = "UPDATE document_chunks SET updated_at = updated_at + %s WHERE text = 'POISON'"
    rows(database, later, timedelta(hours=1))

    newest = rows(database, "SELECT updated_at FROM document_chunks WHERE text = 'newer'")[0][0]
    assert chunks.newest_pending_at(KEY) == newest
