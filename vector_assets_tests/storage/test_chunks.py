"""Chunks as the loop reads them: what a selection holds, window by window."""

import pytest

from vector_assets.domain.chunks import ChunkPlan, ChunkSelection, text_hash
from vector_assets.domain.partition_keys import PartitionKey

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, store_chunks
from ..stores import Stores

OTHER = PartitionKey("cn", "announcement", "999001")
PARTITION = ChunkSelection(partition=KEY)
_LAST = 1_000_000


@pytest.fixture
def filled(stores: Stores) -> Stores:
    """One current, one quarantined and three pending chunks, and a pending one in another partition."""
    store_chunks(stores.database, ["current", "POISON"])
    make_vectorizer(stores.database, HashEmbedder()).vectorize_partition(KEY)
    store_chunks(stores.database, ["one", "two", "three"], name="b.txt")
    store_chunks(stores.database, ["elsewhere"], OTHER)
    return stores


def ids(stores: Stores, *texts: str) -> tuple[int, ...]:
    """The chunks' ids, sorted."""
    found = stores.texts()
    return tuple(sorted(id_ for text in texts for id_, _ in found[text]))


def test_a_partition_holds_what_is_pending_there(filled: Stores) -> None:
    """By force, all that it has."""
    chunks = filled.chunks(SPACE.slug)
    pending = ids(filled, "one", "two", "three")

    assert chunks.plan(PARTITION) == ChunkPlan(3, pending[-1])
    assert chunks.plan(ChunkSelection(partition=KEY, include_current=True)).chunks == 5
    assert chunks.plan(ChunkSelection(partition=PartitionKey("us", "annual_report", "NONE"))) == ChunkPlan(0, 0)


def test_a_chunk_is_read_with_all_that_the_loop_needs(filled: Stores) -> None:
    """Its document's path, its place, its text and hash."""
    chunk = filled.chunks(SPACE.slug).read_window(PARTITION, 0, _LAST, 1).chunks[0]

    assert (chunk.partition, chunk.document, chunk.chunk_index) == (KEY, f"{KEY}/b.txt", 0)
    assert (chunk.text, chunk.content_hash) == ("one", text_hash("one"))


def test_windows_cover_a_partition_once_by_id(filled: Stores) -> None:
    """Each says where the next one begins; the last says that there is none."""
    chunks = filled.chunks(SPACE.slug)
    one, two, three = ids(filled, "one", "two", "three")

    first = chunks.read_window(PARTITION, 0, _LAST, 2)
    second = chunks.read_window(PARTITION, first.resume_after or 0, _LAST, 2)

    assert ([chunk.id for chunk in first.chunks], first.resume_after) == ([one, two], two)
    assert ([chunk.id for chunk in second.chunks], second.resume_after) == ([three], None)


def test_a_window_ends_at_the_plans_last_id(filled: Stores) -> None:
    """What became pending later waits for the next run."""
    one, two, _ = ids(filled, "one", "two", "three")

    window = filled.chunks(SPACE.slug).read_window(PARTITION, 0, two, 9)

    assert [chunk.id for chunk in window.chunks] == [one, two]


def test_chunks_by_id_are_looked_at_by_windows_of_ids(filled: Stores) -> None:
    """Of any partition; those that are not pending are passed over, and unknown ids too."""
    chunks = filled.chunks(SPACE.slug)
    asked = (*ids(filled, "current", "POISON", "two", "elsewhere"), _LAST)
    selection = ChunkSelection(chunk_ids=asked)

    first = chunks.read_window(selection, 0, _LAST, 3)
    second = chunks.read_window(selection, first.resume_after or 0, _LAST, 3)

    assert ([chunk.text for chunk in first.chunks], first.resume_after) == (["two"], asked[2])
    assert ([chunk.text for chunk in second.chunks], second.resume_after) == (["elsewhere"], _LAST)
    assert chunks.read_window(selection, _LAST, _LAST, 3).resume_after is None
    assert chunks.plan(ChunkSelection(chunk_ids=asked, include_current=True)).chunks == 4
