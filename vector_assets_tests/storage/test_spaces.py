"""Embedding spaces: a table of vectors and a queue each, and a status that only explicit commands change."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from vector_assets.domain.chunks import BEFORE_ALL_CHUNKS, ChunkSelection
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.search import ChunkFilter
from vector_assets.domain.spaces import EmbeddingSpace, SpaceStatus
from vector_assets.errors import AnotherSpaceFills, SpaceNotFound, SpaceRetired, SpaceServes, WeightsChanged
from vector_assets.storage.database import Database
from vector_assets.storage.partition_status import PartitionStatusQueries
from vector_assets.storage.spaces import SpaceRegistry

from ..fakes import KEY, SPACE, HashEmbedder, make_live, make_vectorizer, rows, store_chunks, vector_of
from ..invariants import check_invariants
from ..stores import Stores
from .servers import connect, wait_until_waiting

OTHER = replace(SPACE, model="other", source="org/other")
THIRD = replace(SPACE, model="third", source="org/third")
MOVED = replace(KEY, stock_code="MOVED")


def embed(stores: Stores, space: EmbeddingSpace) -> int:
    """Embed what is pending in a live space, and say how many chunks that were."""
    slug, embedder = space.slug, HashEmbedder(space)
    vectorizer = make_vectorizer(stores.database, embedder, chunks=stores.chunks(slug), vectors=stores.vectors(slug))
    return sum(vectorizer.vectorize_partition(key).vectorized_count for key in (KEY, MOVED))


def pending(stores: Stores, space: EmbeddingSpace) -> set[str]:
    """The texts of the chunks that are pending in a live space."""
    assert stores.spaces.status(space) in {SpaceStatus.FILLING, SpaceStatus.SERVING}
    store = stores.chunks(space.slug)
    windows = [store.read_window(ChunkSelection(partition=key), BEFORE_ALL_CHUNKS, 100) for key in (KEY, MOVED)]
    return {chunk.text for window in windows for chunk in window.chunks}


def statuses(stores: Stores) -> dict[str, SpaceStatus]:
    return {item.space.model: item.status for item in stores.spaces.all()}


@pytest.fixture
def two(stores: Stores) -> Stores:
    """Two chunks that are current in the serving space and pending in the filling one."""
    store_chunks(stores.database, ["a", "b"])
    stores.spaces.register_first(SPACE)
    embed(stores, SPACE)
    stores.spaces.add(OTHER)
    return stores


def test_the_first_space_serves_and_every_chunk_is_pending_there(stores: Stores) -> None:
    """It is registered once: no later one becomes the first."""
    store_chunks(stores.database, ["a", "b"])
    assert (stores.spaces.serving(), stores.spaces.status(SPACE)) == (None, None)

    stores.spaces.register_first(SPACE)
    stores.spaces.register_first(SPACE)
    stores.spaces.register_first(OTHER)

    assert stores.spaces.serving() == SPACE
    assert statuses(stores) == {"hash": SpaceStatus.SERVING}
    assert pending(stores, SPACE) == {"a", "b"}


def test_a_space_that_is_added_is_filled_beside_the_serving_one(two: Stores) -> None:
    """Every chunk is pending there, and a new or edited one in both; what serves stays as it is."""
    assert statuses(two) == {"hash": SpaceStatus.SERVING, "other": SpaceStatus.FILLING}
    assert (pending(two, SPACE), pending(two, OTHER)) == (set(), {"a", "b"})

    store_chunks(two.database, ["c"], name="b.txt")
    two.edit("a", "edited")

    assert (pending(two, SPACE), pending(two, OTHER)) == ({"c", "edited"}, {"c", "edited", "b"})
    assert embed(two, OTHER) == 3
    assert (pending(two, SPACE), pending(two, OTHER)) == ({"c", "edited"}, set())


def test_a_live_space_can_be_added_again_and_nothing_changes(two: Stores) -> None:
    """Neither the filling nor the serving one."""
    embed(two, OTHER)

    two.spaces.add(OTHER)
    two.spaces.add(SPACE)

    assert statuses(two) == {"hash": SpaceStatus.SERVING, "other": SpaceStatus.FILLING}
    assert (pending(two, SPACE), pending(two, OTHER)) == (set(), set())


def test_a_space_beside_a_filling_one_is_refused(two: Stores) -> None:
    """One at a time; nothing is changed."""
    with pytest.raises(AnotherSpaceFills, match=f"spaces retire {OTHER.slug}"):
        two.spaces.add(THIRD)

    assert two.spaces.status(THIRD) is None
    two.spaces.retire(OTHER.slug)
    two.spaces.add(THIRD)
    with pytest.raises(AnotherSpaceFills):  # a retired one is not filled again beside it either
        two.spaces.add(OTHER)


def test_the_first_space_of_a_database_can_be_added_and_promoted(stores: Stores) -> None:
    """It does not serve by itself."""
    stores.spaces.add(SPACE)
    stores.spaces.register_first(OTHER)
    assert (stores.spaces.serving(), statuses(stores)) == (None, {"hash": SpaceStatus.FILLING})

    stores.spaces.promote(SPACE.slug)

    assert stores.spaces.serving() == SPACE


def test_a_promotion_lets_two_spaces_change_places(two: Stores) -> None:
    """Both are kept up to date before and after, so that the way back costs nothing; when one gave way is kept."""
    embed(two, OTHER)

    two.spaces.promote(OTHER.slug)

    assert two.spaces.serving() == OTHER
    assert statuses(two) == {"hash": SpaceStatus.FILLING, "other": SpaceStatus.SERVING}
    assert [item.served_until is None for item in two.spaces.all()] == [False, True]
    two.edit("a", "edited")
    assert (pending(two, SPACE), pending(two, OTHER)) == ({"edited"}, {"edited"})
    two.spaces.promote(SPACE.slug)
    assert statuses(two) == {"hash": SpaceStatus.SERVING, "other": SpaceStatus.FILLING}
    assert [item.served_until is None for item in two.spaces.all()] == [True, False]


def test_the_serving_space_can_be_promoted_and_nothing_changes(two: Stores) -> None:
    """The command was given twice."""
    two.spaces.promote(SPACE.slug)

    assert statuses(two) == {"hash": SpaceStatus.SERVING, "other": SpaceStatus.FILLING}
    assert [item.served_until for item in two.spaces.all()] == [None, None]


def test_a_retired_space_keeps_its_vectors_and_has_no_queue(two: Stores) -> None:
    """New and edited chunks do not reach it, nor do vectors that go away, and it cannot serve."""
    embed(two, OTHER)
    two.edit("b", "still pending")

    two.spaces.retire(OTHER.slug)
    store_chunks(two.database, ["c"], name="b.txt")
    two.edit("a", "edited")

    overview = {item.registered.space.model: item for item in two.spaces.overviews()}["other"]
    assert (overview.pending, overview.quarantined, overview.coverage) == (0, 0, None)
    assert len(two.vectors_by_text(OTHER.slug)) == 2
    assert pending(two, SPACE) == {"c", "edited", "still pending"}
    two.delete_vectors(OTHER.slug)
    assert {item.registered.space.model: item.pending for item in two.spaces.overviews()} == {"hash": 3, "other": 0}
    with pytest.raises(SpaceRetired, match="spaces add org/other"):
        two.spaces.promote(OTHER.slug)
    two.spaces.retire(OTHER.slug)  # once more
    assert statuses(two) == {"hash": SpaceStatus.SERVING, "other": SpaceStatus.RETIRED}


def test_a_retired_space_that_is_added_again_lacks_only_what_changed_meanwhile(two: Stores) -> None:
    """Edited, new and moved chunks; unchanged ones keep their vectors, also those with the same text as before."""
    store_chunks(two.database, ["moves"], name="moves.txt")
    embed(two, OTHER)
    two.spaces.retire(OTHER.slug)
    two.edit("a", "edited")
    two.edit("b", "for a while")
    two.edit("for a while", "b")
    store_chunks(two.database, ["c"], name="b.txt")

    two.spaces.add(OTHER)

    assert pending(two, OTHER) == {"edited", "c"}
    two.spaces.retire(OTHER.slug)
    two.move_documents(MOVED)
    two.spaces.add(OTHER)
    assert pending(two, OTHER) == {"edited", "b", "moves", "c"}
    assert embed(two, OTHER) == 4
    check_invariants(two.database, HashEmbedder(OTHER))


def test_a_dropped_space_is_gone_and_can_be_added_anew(two: Stores) -> None:
    """With its vectors, its queue and all that is known of it."""
    embed(two, OTHER)
    two.edit("a", "edited")

    two.spaces.drop(OTHER.slug)

    assert statuses(two) == {"hash": SpaceStatus.SERVING}
    with pytest.raises(SpaceNotFound):
        two.vectors(OTHER.slug).nearest(vector_of("a"), ChunkFilter(), 5)
    two.edit("b", "goes on")
    two.spaces.add(OTHER)
    assert pending(two, OTHER) == {"edited", "goes on"}
    two.spaces.retire(OTHER.slug)
    two.spaces.drop(OTHER.slug)
    assert statuses(two) == {"hash": SpaceStatus.SERVING}


def test_a_dropped_space_takes_its_reference_vectors_along(database: Database) -> None:
    """And what its last runs did."""
    make_live(database)
    make_live(database, OTHER)
    registry, values = SpaceRegistry(database), "VALUES (%s, 'us', 'a', 'b', 'run', 1, 1, 1)"
    for space in (SPACE, OTHER):
        rows(database, "INSERT INTO reference_vectors VALUES (%s, 'texts', '', 'cpu')", space.slug)
        columns = "(space, market, doc_type, stock_code, run_id, chunks, tokens, seconds)"
        rows(database, f"INSERT INTO last_runs {columns} {values}", space.slug)

    registry.drop(OTHER.slug)

    assert rows(database, "SELECT space FROM reference_vectors") == [(SPACE.slug,)]
    assert rows(database, "SELECT space FROM last_runs") == [(SPACE.slug,)]


def test_the_serving_space_is_neither_retired_nor_dropped(two: Stores) -> None:
    """Searches read it."""
    with pytest.raises(SpaceServes, match=SPACE.slug):
        two.spaces.retire(SPACE.slug)
    with pytest.raises(SpaceServes, match=SPACE.slug):
        two.spaces.drop(SPACE.slug)

    assert two.spaces.serving() == SPACE
    assert len(two.vectors_by_text(SPACE.slug)) == 2


@pytest.mark.parametrize("command", ["promote", "retire", "drop"])
def test_an_unknown_space_is_refused(two: Stores, command: str) -> None:
    """By its name."""
    with pytest.raises(SpaceNotFound, match="never_there"):
        getattr(two.spaces, command)("never_there")


def test_changed_weights_under_the_same_name_are_refused(two: Stores) -> None:
    """Their vectors would not compare with those that are stored."""
    changed = replace(SPACE, weights_digest="other")

    with pytest.raises(WeightsChanged):
        two.spaces.status(changed)
    with pytest.raises(WeightsChanged):
        two.spaces.add(changed)

    assert two.spaces.serving() == SPACE
    two.spaces.retire(OTHER.slug)
    with pytest.raises(WeightsChanged):  # nor is a retired space filled with them
        two.spaces.add(replace(OTHER, weights_digest="other"))


def test_the_newest_generation_of_a_model_is_found(stores: Stores) -> None:
    """Whatever its status is; another model has generations of its own."""
    assert stores.spaces.newest(SPACE) == SPACE

    stores.spaces.register_first(SPACE)
    for generation in (2, 1):
        added = replace(SPACE, generation=generation)
        stores.spaces.add(added)
        stores.spaces.retire(added.slug)

    assert stores.spaces.newest(SPACE).generation == 2
    assert stores.spaces.newest(OTHER) == OTHER
    assert stores.spaces.status(replace(SPACE, generation=1)) == SpaceStatus.RETIRED
    assert stores.spaces.status(OTHER) is None


def test_overviews_count_what_each_space_has_and_lacks(two: Stores) -> None:
    """The oldest first; quarantined chunks are not pending."""
    store_chunks(two.database, ["POISON"], name="b.txt")
    embed(two, SPACE)
    two.quarantine.release(SPACE.slug, [KEY])
    embed(two, SPACE)

    serving, filling = two.spaces.overviews()

    assert (serving.registered.space, filling.registered.space) == (SPACE, OTHER)
    assert (serving.chunks, serving.pending, serving.quarantined, serving.coverage) == (3, 0, 1, 2 / 3)
    assert (filling.chunks, filling.pending, filling.quarantined, filling.coverage) == (3, 3, 0, 0)


def test_what_two_spaces_have_of_the_same_texts_is_paired(two: Stores) -> None:
    """A chunk that one of them lacks, or has of another text, is left out."""
    assert list(two.pairs.sample(SPACE.slug, OTHER.slug, 9).ids) == []
    assert list(two.pairs.windows(SPACE.slug, OTHER.slug)) == []
    store_chunks(two.database, ["c", "d"], name="b.txt")
    embed(two, SPACE)
    two.edit("a", "edited")
    embed(two, OTHER)

    sample = two.pairs.sample(SPACE.slug, OTHER.slug, 9)

    ids = {two.texts()[text][0][0]: text for text in ("b", "c", "d")}
    assert sorted(zip(sample.ids, sample.texts, strict=True)) == sorted(ids.items())
    (window,) = two.pairs.windows(SPACE.slug, OTHER.slug)
    assert list(window.ids) == sorted(ids)
    for found in (sample, window):
        expected = np.stack([vector_of(ids[id_]) for id_ in found.ids])
        assert found.one == pytest.approx(expected, abs=1e-3)
        assert found.other == pytest.approx(expected, abs=1e-3)
    assert len(two.pairs.sample(SPACE.slug, OTHER.slug, 2).ids) == 2


def test_of_a_retired_space_is_counted_what_has_no_current_vector(two: Stores) -> None:
    """It has no queue any more."""
    embed(two, OTHER)
    two.edit("a", "edited")
    store_chunks(two.database, ["c"], name="b.txt")

    two.spaces.retire(OTHER.slug)
    two.edit("b", "edited later")

    (status,) = two.status.status(OTHER.slug)
    assert (status.chunks, status.current, status.pending, status.quarantined) == (3, 0, 3, 0)
    two.edit("edited later", "b")
    (status,) = two.status.status(OTHER.slug)
    assert (status.current, status.pending) == (1, 2)


def test_deleted_vectors_make_their_chunks_pending(two: Stores) -> None:
    """In their own space only: a chunk is never current without a vector."""
    embed(two, OTHER)

    two.delete_vectors(SPACE.slug)

    assert (pending(two, SPACE), pending(two, OTHER)) == ({"a", "b"}, set())


def test_truncated_vectors_make_their_chunks_pending(database: Database) -> None:
    """By a trigger of its own, in their own space only."""
    store_chunks(database, ["a", "b"])
    for space in (SPACE, OTHER):
        make_vectorizer(database, HashEmbedder(space)).vectorize_partition(KEY)

    rows(database, f"TRUNCATE chunk_vectors_{SPACE.slug}")

    status = PartitionStatusQueries(database)
    assert [status.partition_status(KEY, space.slug).pending for space in (SPACE, OTHER)] == [2, 0]


@pytest.mark.parametrize("table", ["document_chunks", "documents"])
def test_truncated_chunks_leave_nothing(database: Database, table: str) -> None:
    """Neither vectors nor rows of a queue."""
    store_chunks(database, ["a", "POISON"])
    for space in (SPACE, OTHER):
        make_vectorizer(database, HashEmbedder(space)).vectorize_partition(KEY, limit=1)

    rows(database, f"TRUNCATE {table} CASCADE")

    assert rows(database, "SELECT count(*) FROM pending_chunks") == [(0,)]
    for space in (SPACE, OTHER):
        assert check_invariants(database, HashEmbedder(space)).chunks == 0


@pytest.mark.parametrize("field", ["model", "revision", "pooling", "document_prompt", "query_prompt", "generation"])
def test_whatever_sets_a_space_apart_is_in_its_slug(field: str) -> None:
    """Another model, prompt, pooling or generation is another table."""
    changed = replace(SPACE, **{field: 7 if field == "generation" else "something else"})

    assert changed.slug != SPACE.slug
    assert len(replace(SPACE, model="某" * 500, document_prompt="某" * 500).slug) <= 40


# Transactions that overlap


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


INSERT = """
INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash)
SELECT id, '', '', '', 7, %s, '' FROM documents
"""


@pytest.fixture
def filled(database: Database) -> Database:
    """Two chunks that are current in the serving space and in the filling one."""
    store_chunks(database, ["a", "b"])
    for space in (SPACE, OTHER):
        make_vectorizer(database, HashEmbedder(space)).vectorize_partition(KEY)
    return database


def check_both(database: Database, *pending_texts: str) -> None:
    """Check both spaces: exactly these texts are pending in each, and every other chunk has its vector."""
    for space in (SPACE, OTHER):
        findings = check_invariants(database, HashEmbedder(space))
        found = rows(database, "SELECT text FROM document_chunks WHERE id = ANY(%s)", findings.pending)
        assert {text for (text,) in found} == set(pending_texts)


@pytest.mark.parametrize("again", [False, True], ids=["a new space", "a retired space"])
def test_a_chunk_of_a_transaction_that_began_before_the_space_is_queued(
    filled: Database, pool: ThreadPoolExecutor, again: bool
) -> None:
    """It is committed while the space is added: the space waits for it."""
    registry = SpaceRegistry(filled)
    (registry.retire if again else registry.drop)(OTHER.slug)
    with connect(filled.url) as writer, connect(filled.url) as admin:
        with writer.transaction():
            writer.execute(INSERT, ["in flight"])
            writer.execute("UPDATE document_chunks SET text = 'edited' WHERE text = 'a'")
            adding = pool.submit(registry.add, OTHER)
            wait_until_waiting(admin, adding)
        adding.result()

    findings = check_invariants(filled, HashEmbedder(OTHER))
    assert (len(findings.current), len(findings.pending)) == ((1, 2) if again else (0, 3))


def test_a_chunk_of_a_transaction_that_waits_for_the_space_is_queued(
    filled: Database, pool: ThreadPoolExecutor
) -> None:
    """Its statement began before the space was there, and waits until the space is registered."""
    registry = SpaceRegistry(filled)
    registry.drop(OTHER.slug)
    with connect(filled.url) as reader, connect(filled.url) as writer, connect(filled.url) as admin:
        with reader.transaction():
            reader.execute("LOCK TABLE document_chunks IN ROW EXCLUSIVE MODE")
            adding = pool.submit(registry.add, OTHER)
            wait_until_waiting(admin, adding)
            writing = pool.submit(writer.execute, INSERT, ["late"])
            wait_until_waiting(admin, adding, writing)
        adding.result()
        writing.result()

    findings = check_invariants(filled, HashEmbedder(OTHER))
    assert (len(findings.current), len(findings.pending)) == (0, 3)


def test_an_edit_that_overlaps_promotions_is_pending_in_both_spaces(filled: Database) -> None:
    """It began before the one and is committed after the way back: never is the old vector current."""
    registry = SpaceRegistry(filled)
    with connect(filled.url) as editor, editor.transaction():
        editor.execute("UPDATE document_chunks SET text = 'edited' WHERE text = 'a'")
        registry.promote(OTHER.slug)
        editor.execute("UPDATE document_chunks SET text = 'edited too' WHERE text = 'b'")
        registry.promote(SPACE.slug)

    check_both(filled, "edited", "edited too")


def test_an_edit_in_the_middle_of_a_promotion_is_pending_in_both_spaces(
    filled: Database, pool: ThreadPoolExecutor
) -> None:
    """Before the promotion is committed, its three statements are seen by nobody, and no edit waits for it."""
    registry = SpaceRegistry(filled)
    with connect(filled.url) as holder, connect(filled.url) as editor:
        with holder.transaction():
            holder.execute("SELECT FROM embedding_spaces WHERE slug = %s FOR UPDATE", [SPACE.slug])
            promoting = pool.submit(registry.promote, OTHER.slug)
            wait_until_waiting(editor, promoting)
            editor.execute("UPDATE document_chunks SET text = 'edited' WHERE text = 'a'")
        promoting.result()

    assert registry.serving() == OTHER
    check_both(filled, "edited")


@pytest.mark.parametrize("command", ["retire", "drop"])
def test_a_chunk_in_flight_while_its_space_ends_leaves_nothing_in_its_queue(
    filled: Database, pool: ThreadPoolExecutor, command: str
) -> None:
    """Such a row would stay there with an old text, and the chunk would be superseded in every run."""
    registry = SpaceRegistry(filled)
    with connect(filled.url) as writer, connect(filled.url) as admin:
        with writer.transaction():
            writer.execute("UPDATE document_chunks SET text = 'in flight' WHERE text = 'a'")
            ending = pool.submit(getattr(registry, command), OTHER.slug)
            wait_until_waiting(admin, ending)
        ending.result()

    assert rows(filled, "SELECT count(*) FROM pending_chunks WHERE space = %s", OTHER.slug) == [(0,)]
    rows(filled, "UPDATE document_chunks SET text = 'newer' WHERE text = 'in flight'")
    registry.add(OTHER)
    make_vectorizer(filled, HashEmbedder(OTHER)).vectorize_partition(KEY)
    assert check_invariants(filled, HashEmbedder(OTHER)).pending == []


def test_a_space_is_dropped_while_chunks_are_deleted(filled: Database, pool: ThreadPoolExecutor) -> None:
    """The deletion needs the space's vectors, and dropping these needs the chunks: neither waits for ever."""
    registry = SpaceRegistry(filled)
    with connect(filled.url) as writer, connect(filled.url) as admin:
        writer.execute("SET deadlock_timeout = '100ms'")
        with writer.transaction():
            writer.execute("UPDATE document_chunks SET text = 'edited' WHERE text = 'a'")
            dropping = pool.submit(registry.drop, OTHER.slug)
            wait_until_waiting(admin, dropping)
            writer.execute("DELETE FROM document_chunks WHERE text = 'b'")
        dropping.result()

    assert registry.status(OTHER) is None
    assert check_invariants(filled, HashEmbedder(SPACE)).chunks == 1


def test_two_processes_register_the_first_space_once(database: Database, pool: ThreadPoolExecutor) -> None:
    """They start at the same moment, with different models."""
    store_chunks(database, ["a"])
    registry = SpaceRegistry(database)
    with connect(database.url) as writer, connect(database.url) as admin:
        with writer.transaction():
            writer.execute("LOCK TABLE document_chunks IN ROW EXCLUSIVE MODE")
            both = [pool.submit(registry.register_first, space) for space in (SPACE, OTHER)]
            wait_until_waiting(admin, *both)
        for registering in both:
            registering.result()

    (only,) = registry.all()
    assert registry.serving() == only.space
    assert rows(database, "SELECT space FROM pending_chunks") == [(only.space.slug,)]


def test_a_chunk_that_comes_while_its_document_moves_ends_in_the_new_partition(
    filled: Database, pool: ThreadPoolExecutor
) -> None:
    """The move takes along the chunks that are there, and the new one waits for it."""
    moved = PartitionKey("hk", "announcement", "00700")
    with connect(filled.url) as mover, connect(filled.url) as writer, connect(filled.url) as admin:
        with mover.transaction():
            mover.execute("UPDATE documents SET (market, doc_type, stock_code) = ('hk', 'announcement', '00700')")
            writing = pool.submit(writer.execute, INSERT, ["late"])
            wait_until_waiting(admin, writing)
        writing.result()

    status = PartitionStatusQueries(filled)
    assert [(item.partition, item.chunks, item.pending) for item in status.status(SPACE.slug)] == [(moved, 3, 3)]
    check_both(filled, "a", "b", "late")


def test_a_document_that_moves_waits_for_the_chunk_that_comes(filled: Database, pool: ThreadPoolExecutor) -> None:
    """The other way round: the chunk is there first, and moves along."""
    with connect(filled.url) as mover, connect(filled.url) as writer, connect(filled.url) as admin:
        with writer.transaction():
            writer.execute(INSERT, ["early"])
            moving = pool.submit(mover.execute, "UPDATE documents SET stock_code = 'MOVED'")
            wait_until_waiting(admin, moving)
        moving.result()

    status = PartitionStatusQueries(filled)
    assert [(item.partition, item.chunks, item.pending) for item in status.status(SPACE.slug)] == [(MOVED, 3, 3)]
    check_both(filled, "a", "b", "early")


def test_a_document_moves_while_vectors_of_its_chunks_are_deleted(filled: Database, pool: ThreadPoolExecutor) -> None:
    """The deletion has put the chunks into the queue of the former partition, where no run would find them."""
    with connect(filled.url) as deleter, connect(filled.url) as mover, connect(filled.url) as admin:
        with deleter.transaction():
            deleter.execute(f"DELETE FROM chunk_vectors_{SPACE.slug}")
            moving = pool.submit(mover.execute, "UPDATE documents SET stock_code = 'MOVED'")
            wait_until_waiting(admin, moving)
        moving.result()

    check_both(filled, "a", "b")
