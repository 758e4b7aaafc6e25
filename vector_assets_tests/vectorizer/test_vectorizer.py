"""The loop's promises, each by a test that tries to break it, on a real PostgreSQL."""

import threading
import tracemalloc

import numpy as np
import pytest

from vector_assets.domain.chunks import ChunkSelection
from vector_assets.errors import DatabaseFailed, EmbedderBroken, InvalidSetting, SpaceReplaced
from vector_assets.storage.database import Database
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import WINDOW_BATCHES, loop
from vector_assets.vectorizer.halving import attempt_halving

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks, vector_of
from ..memory.database import MemoryDatabase
from ..stores import stores_of

VECTORS = f"chunk_vectors_{SPACE.slug}"


def stored_vectors(database: Database) -> dict[str, np.ndarray]:
    """Text -> the vector that is stored for it."""
    found = rows(database, f"SELECT c.text, v.embedding FROM {VECTORS} v JOIN document_chunks c ON c.id = v.chunk_id")
    return {text: np.array(vector.to_list()) for text, vector in found}


def test_every_chunk_gets_the_vector_of_its_text(database: Database) -> None:
    """Sorting by length and batching swap no rows."""
    texts = [" ".join(["word"] * (n % 7 + 1)) + f" {n}" for n in range(23)]
    store_chunks(database, texts)

    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    assert report.vectorized_count == 23
    stored = stored_vectors(database)
    assert set(stored) == set(texts)
    for text, vector in stored.items():
        assert np.dot(vector, vector_of(text)) > 0.999


def test_a_text_edited_while_it_is_embedded_is_superseded(memory: MemoryDatabase) -> None:
    """Promise 1: the vector of the old text is not stored and the chunk stays pending."""
    store_chunks(memory, ["old", "same"])
    embedder = HashEmbedder()
    embedder.before = lambda _: stores_of(memory).edit("old", "edited")
    vectorizer = make_vectorizer(memory, embedder)

    report = vectorizer.vectorize_partition(KEY)

    assert (report.vectorized_count, report.superseded_count) == (1, 1)
    assert set(stores_of(memory).vectors_by_text(SPACE.slug)) == {"same"}
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1
    assert set(stores_of(memory).vectors_by_text(SPACE.slug)) == {"same", "edited"}


def test_a_chunk_deleted_while_it_is_embedded_leaves_nothing(memory: MemoryDatabase) -> None:
    """Promise 1: no vector without its chunk."""
    store_chunks(memory, ["stays", "goes"])
    embedder = HashEmbedder()
    embedder.before = lambda _: stores_of(memory).delete_chunk("goes")

    report = make_vectorizer(memory, embedder).vectorize_partition(KEY)

    assert (report.vectorized_count, report.superseded_count) == (1, 1)
    assert set(stores_of(memory).vectors_by_text(SPACE.slug)) == {"stays"}


def test_a_chunk_held_by_an_editor_is_passed_over_not_waited_for(database: Database) -> None:
    """Promise 1: an edit under way when the batch commits leaves its chunk pending and holds nobody up."""
    store_chunks(database, ["free", "held"])
    vectorizer = make_vectorizer(database, HashEmbedder())

    with database.transaction() as editor:
        editor.execute("UPDATE document_chunks SET text = 'held and edited' WHERE text = 'held'")
        report = vectorizer.vectorize_partition(KEY)

    assert (report.vectorized_count, report.superseded_count) == (1, 1)
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1
    assert set(stored_vectors(database)) == {"free", "held and edited"}


def test_an_edit_after_the_commit_makes_the_chunk_pending_again(memory: MemoryDatabase) -> None:
    """A vector is never older than its text: other columns may change, the text may not."""
    store_chunks(memory, ["a", "b"])
    vectorizer = make_vectorizer(memory, HashEmbedder())
    vectorizer.vectorize_partition(KEY)

    stores_of(memory).shift_indices(10)
    assert vectorizer.vectorize_partition(KEY).processed == 0
    stores_of(memory).edit("b", "b2")

    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1


def test_each_batch_is_one_transaction_and_none_is_open_while_the_model_works(database: Database) -> None:
    """Promise 2: what the callback sees is committed; when the batches before are, no transaction is left open.

    The model may work on the next batches while one is being committed; here each waits until those before it are.
    """
    store_chunks(database, [f"text {n}" for n in range(10)])
    embedder = HashEmbedder()
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%%'"
    open_transactions: list[int] = []
    told_so_far = threading.Semaphore(1)  # the first batch waits for nothing

    def work(_: list[str]) -> None:
        told_so_far.acquire()
        open_transactions.append(rows(database, idle)[0][0])

    embedder.before = work
    committed: list[tuple[int, int]] = []

    def told(progress) -> None:
        committed.append((progress.processed, rows(database, f"SELECT count(*) FROM {VECTORS}")[0][0]))
        told_so_far.release()

    make_vectorizer(database, embedder).vectorize_partition(KEY, progress_callback=told)

    assert open_transactions == [0, 0, 0]
    assert committed == [(4, 4), (8, 8), (10, 10)]


def test_the_next_batches_are_embedded_while_one_is_committed(memory: MemoryDatabase) -> None:
    """The embedder does not wait for the database: the second batch is at work before the first has been told."""
    store_chunks(memory, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()
    second_at_work = threading.Event()
    embedder.before = lambda _: second_at_work.set() if len(embedder.embedded) >= 4 else None
    waited = []

    make_vectorizer(memory, embedder).vectorize_partition(
        KEY, progress_callback=lambda _: waited.append(second_at_work.wait(timeout=30))
    )

    assert waited == [True, True, True]


def test_no_thread_outlives_a_run(database: Database) -> None:
    """Neither one that ends well nor one whose commit fails."""
    store_chunks(database, [f"text {n}" for n in range(40)])
    vectorizer = make_vectorizer(database, HashEmbedder())
    before = set(threading.enumerate())

    def refuse(*_: object) -> None:
        raise DatabaseFailed("the disk is full", "53100")

    vectorizer._vectors.commit_batch, commit = refuse, vectorizer._vectors.commit_batch
    with pytest.raises(DatabaseFailed):
        vectorizer.vectorize_partition(KEY)
    assert set(threading.enumerate()) == before
    vectorizer._vectors.commit_batch = commit
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 40

    assert set(threading.enumerate()) == before


def test_several_calls_at_once_keep_the_order_of_the_batches(memory: MemoryDatabase) -> None:
    """Whichever call ends first, batches are committed and told in their order."""
    store_chunks(memory, ["word " * (n // 4 + 1) + str(n) for n in range(24)])
    embedder = HashEmbedder()
    embedder.concurrency = 3
    three_at_work = threading.Barrier(3)
    embedder.before = lambda _: three_at_work.wait(timeout=30)
    told = []

    report = make_vectorizer(memory, embedder).vectorize_partition(KEY, progress_callback=told.append)

    assert report.vectorized_count == 24
    assert [progress.batch_num for progress in told] == [1, 2, 3, 4, 5, 6]
    lengths = [max(chunk.token_count for chunk in progress.batch_chunks) for progress in told]
    assert lengths == sorted(lengths, reverse=True)


def test_a_few_chunks_are_shared_out_among_the_calls_at_once(memory: MemoryDatabase) -> None:
    """So none of them is idle; how many batches there are is known from the first one on."""
    store_chunks(memory, [f"text {n}" for n in range(18)])
    embedder = HashEmbedder()
    embedder.concurrency = 4
    four_at_work = threading.Barrier(4)
    embedder.before = lambda _: four_at_work.wait(timeout=30)
    told = []

    make_vectorizer(memory, embedder, batch_size=32).vectorize_partition(KEY, progress_callback=told.append)

    assert [progress.batch_size for progress in told] == [5, 5, 5, 3]
    assert [(progress.batch_num, progress.total_batches) for progress in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_only_the_last_window_is_shared_out(memory: MemoryDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere batches are as large as they may be."""
    monkeypatch.setattr(loop, "WINDOW_BATCHES", 1)
    store_chunks(memory, [f"text {n}" for n in range(13)])
    embedder = HashEmbedder()
    embedder.concurrency = 3
    told = []

    make_vectorizer(memory, embedder).vectorize_partition(KEY, progress_callback=told.append)

    assert [progress.batch_size for progress in told] == [4, 4, 4, 1]
    assert {progress.total_batches for progress in told} == {4}


def test_the_report_says_where_the_time_went(memory: MemoryDatabase) -> None:
    """And which stage a faster run would need to be faster."""
    store_chunks(memory, [f"text {n}" for n in range(8)])
    embedder = HashEmbedder()
    slow = threading.Event()
    embedder.before = lambda _: slow.wait(timeout=0.2)

    stages = make_vectorizer(memory, embedder).vectorize_partition(KEY).stages

    assert stages.bottleneck == "embedding"
    assert stages.embed >= 0.4
    assert 0 < stages.commit < stages.wait_for_embedder


def test_a_stopped_run_keeps_whole_batches_and_the_next_embeds_only_the_rest(database: Database) -> None:
    """Promise 2: nothing is lost, nothing is done twice."""
    store_chunks(database, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()

    def pull_the_plug(texts: list[str]) -> None:
        if len(embedder.embedded) >= 8:
            raise KeyboardInterrupt

    embedder.before = pull_the_plug
    with pytest.raises(KeyboardInterrupt):
        make_vectorizer(database, embedder).vectorize_partition(KEY)
    assert len(stored_vectors(database)) == 8
    embedder.before = lambda _: None

    report = make_vectorizer(database, embedder).vectorize_partition(KEY)

    assert report.vectorized_count == 4
    assert sorted(embedder.embedded) == sorted(stored_vectors(database))


def test_a_bad_chunk_fails_alone(memory: MemoryDatabase) -> None:
    """Promise 3: the rest of its batch commits; it is quarantined with its error and waits for new text."""
    store_chunks(memory, [f"text {n}" for n in range(10)] + ["POISON"])
    vectorizer = make_vectorizer(memory, HashEmbedder())

    report = vectorizer.vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (10, 1)
    assert [(failure.chunk.text, failure.error, failure.message) for failure in report.failures] == [
        ("POISON", "ValueError", "poison")
    ]
    assert stores_of(memory).failures() == [("ValueError", "poison", 1)]
    assert vectorizer.vectorize_partition(KEY).processed == 0
    stores_of(memory).edit("POISON", "corrected")
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1
    assert stores_of(memory).failures() == []


def test_force_tries_quarantined_chunks_again_and_counts_the_attempts(memory: MemoryDatabase) -> None:
    """Promise 3: by force everything has another try."""
    store_chunks(memory, ["a", "POISON"])
    vectorizer = make_vectorizer(memory, HashEmbedder())
    vectorizer.vectorize_partition(KEY)

    report = vectorizer.vectorize_partition(KEY, force_revectorize=True)

    assert (report.vectorized_count, report.failed_count) == (1, 1)
    assert stores_of(memory).failures() == [("ValueError", "poison", 2)]


def test_a_broken_embedder_quarantines_nothing(memory: MemoryDatabase) -> None:
    """Promise 3: when even a plain text fails, the chunks are not at fault."""
    store_chunks(memory, ["a", "b"])
    vectorizer = make_vectorizer(memory, HashEmbedder(poison=""))

    with pytest.raises(EmbedderBroken, match="not at fault"):
        vectorizer.vectorize_partition(KEY)

    assert stores_of(memory).failures() == []
    assert make_vectorizer(memory, HashEmbedder()).vectorize_partition(KEY).vectorized_count == 2


@pytest.mark.parametrize("spoil", [np.nan, np.inf, 0.0, 1e30], ids=["nan", "inf", "zero", "beyond float16"])
def test_a_vector_that_must_not_be_stored_is_quarantined(memory: MemoryDatabase, spoil: float) -> None:
    """Promise 4: the others of its batch commit."""
    store_chunks(memory, ["a", "b", "spoilt"])
    embedder = HashEmbedder()
    embed = embedder.embed

    def spoiling(texts):
        vectors = embed(texts)
        vectors[[item.text == "spoilt" for item in texts]] = spoil
        return vectors

    embedder.embed = spoiling

    report = make_vectorizer(memory, embedder).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (2, 1)
    assert report.failures[0].error == "BadVectors"
    assert set(stores_of(memory).vectors_by_text(SPACE.slug)) == {"a", "b"}


def test_a_failing_callback_costs_a_warning_only(memory: MemoryDatabase, caplog: pytest.LogCaptureFixture) -> None:
    """Promise 5: every batch commits, every batch is told, one warning is logged."""
    store_chunks(memory, [f"text {n}" for n in range(10)])
    calls = []

    def failing(progress) -> None:
        calls.append(progress.batch_num)
        raise RuntimeError("nobody listens")

    report = make_vectorizer(memory, HashEmbedder()).vectorize_partition(KEY, progress_callback=failing)

    assert calls == [1, 2, 3]
    assert (report.vectorized_count, report.callback_errors) == (10, 3)
    assert [record.message for record in caplog.records] == ["the progress callback failed; the work goes on"]


def test_progress_says_where_the_run_stands(memory: MemoryDatabase) -> None:
    """The fields that users know, consistent in every batch."""
    store_chunks(memory, [f"text {n}" for n in range(9)] + ["POISON"])
    told = []

    make_vectorizer(memory, HashEmbedder()).vectorize_partition(KEY, progress_callback=told.append)

    assert [(p.batch_num, p.total_batches, p.batch_size) for p in told] == [(1, 3, 4), (2, 3, 4), (3, 3, 2)]
    assert [(p.processed, p.total) for p in told] == [(4, 10), (8, 10), (10, 10)]
    assert all(p.processed == p.vectorized_count + p.superseded_count + p.failed_count for p in told)
    assert told[-1].failed_count == 1
    assert [len(p.batch_chunks) for p in told] == [4, 4, 2]
    assert told[0].seconds_left is None  # one batch, with the reading before it, is no speed yet
    assert told[1].seconds_left > 0
    assert told[-1].seconds_left == 0
    assert "10/10 chunks (100.0%)" in told[-1].line()
    assert "1 failed" in told[-1].details()
    assert "failed" not in told[0].details()


def test_chunks_by_id_embed_only_what_is_pending(memory: MemoryDatabase) -> None:
    """Unknown ids and repeats are passed over; by force current chunks are done again."""
    store_chunks(memory, ["a", "b", "c"])
    ids = sorted(memory.chunks)
    vectorizer = make_vectorizer(memory, HashEmbedder())

    first = vectorizer.vectorize_chunks([ids[0], ids[1], ids[0], 10**9])
    second = vectorizer.vectorize_chunks(ids)
    forced = vectorizer.vectorize_chunks(ids, force_revectorize=True)

    assert [report.vectorized_count for report in (first, second, forced)] == [2, 1, 3]
    assert vectorizer.vectorize_chunks([]).processed == 0


def test_a_limit_leaves_the_rest_pending(memory: MemoryDatabase) -> None:
    """At most so many chunks."""
    store_chunks(memory, [f"text {n}" for n in range(10)])
    vectorizer = make_vectorizer(memory, HashEmbedder())

    first = vectorizer.vectorize_partition(KEY, limit=6)

    assert (first.total, first.vectorized_count) == (6, 6)
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 4


def test_two_models_never_share_a_table(database: Database) -> None:
    """Promise 7: another prompt is another space, whose search sees its own vectors only."""
    import dataclasses

    from vector_assets.domain.search import SearchFilter

    store_chunks(database, ["a", "b"])
    other = dataclasses.replace(SPACE, document_prompt="passage: ")
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    report = make_vectorizer(database, HashEmbedder(other)).vectorize_partition(KEY, limit=1)

    assert report.vectorized_count == 1
    assert len(PostgresVectorStore(database, other.slug).nearest(vector_of("a"), SearchFilter(), 9)) == 1
    assert len(PostgresVectorStore(database, SPACE.slug).nearest(vector_of("a"), SearchFilter(), 9)) == 2


def test_a_run_whose_space_was_replaced_stops(memory: MemoryDatabase) -> None:
    """Promise 7: no vector is written into a space that is no longer the active one."""
    import dataclasses

    store_chunks(memory, ["a"])
    vectorizer = make_vectorizer(memory, HashEmbedder())
    stores_of(memory).spaces.activate(dataclasses.replace(SPACE, query_prompt="query: "))

    with pytest.raises(SpaceReplaced):
        vectorizer.vectorize_partition(KEY)

    assert stores_of(memory).vectors_by_text(SPACE.slug) == {}


def test_memory_is_bounded_by_the_window(database: Database) -> None:
    """Promise 8: ten windows take no more memory than three."""

    def peak(chunks: int) -> int:
        store_chunks(database, [f"{n} " + "word " * 200 for n in range(chunks)], name=f"{chunks}.txt")
        embedder = HashEmbedder()
        embedder.before = lambda _: embedder.embedded.clear()  # the fake's own record would grow
        vectorizer = make_vectorizer(database, embedder, batch_size=4)
        tracemalloc.start()
        report = vectorizer.vectorize_partition(KEY)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert report.vectorized_count == chunks
        return most

    window = WINDOW_BATCHES * 4
    few, many = peak(window * 3), peak(window * 10)

    assert many < 1.3 * few


def test_the_loop_never_asks_for_more_than_a_window(memory: MemoryDatabase) -> None:
    """Promise 8: a partition of any size is read by windows."""
    store_chunks(memory, [f"text {n}" for n in range(600)])
    vectorizer = make_vectorizer(memory, HashEmbedder(), batch_size=4)
    asked = []
    read = vectorizer._chunks.read_window

    def spying(selection: ChunkSelection, after_id: int, up_to_id: int, limit: int):
        asked.append(limit)
        return read(selection, after_id, up_to_id, limit)

    vectorizer._chunks.read_window = spying
    vectorizer.vectorize_partition(KEY)

    assert max(asked) == WINDOW_BATCHES * 4
    assert len(asked) == 3


def test_text_reaches_the_embedder_unaltered(memory: MemoryDatabase) -> None:
    """Promise 12: Chinese, white space, emoji and combining signs arrive as they are stored."""
    texts = ["董事会审议通过了年度报告。", "  two  spaces\tand\ttabs ", "é é 🙂 ①", "\u200bzero\u00a0width"]
    store_chunks(memory, texts)
    embedder = HashEmbedder()

    make_vectorizer(memory, embedder).vectorize_partition(KEY)

    assert sorted(embedder.embedded) == sorted(texts)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_size_below_one_is_refused(memory: MemoryDatabase, size: int) -> None:
    """Promise 11: one line with the mend."""
    with pytest.raises(InvalidSetting, match="below 1"):
        make_vectorizer(memory, HashEmbedder(), batch_size=size)


def test_halving_finds_each_culprit_and_keeps_the_order() -> None:
    """Results and errors come in the order of the items."""

    def attempt(items):
        if any(item < 0 for item in items):
            raise ValueError(str([item for item in items if item < 0]))
        return [item * 10 for item in items]

    done, failed = attempt_halving([1, -2, 3, 4, -5, 6], attempt)

    assert done == [(1, 10), (3, 30), (4, 40), (6, 60)]
    assert [(item, str(error)) for item, error in failed] == [(-2, "[-2]"), (-5, "[-5]")]


def test_halving_refuses_a_short_answer() -> None:
    """An attempt that gives fewer results than items fails like one that raises."""
    done, failed = attempt_halving([1, 2], lambda items: items[:1])

    assert done == [(1, 1), (2, 2)]
    assert failed == []
