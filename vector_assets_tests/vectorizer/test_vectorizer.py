"""Each promise of the loop has a test that tries to break it, on a real PostgreSQL."""

import threading
import time
import tracemalloc
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest

from vector_assets.domain.chunks import ChunkSelection, ChunkWindow
from vector_assets.errors import DatabaseFailed, EmbedderBroken, InvalidChunkId, InvalidSetting, SpaceNotLive
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.spaces import SpaceRegistry
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import WINDOW_BATCHES, Vectorizer, windows
from vector_assets.vectorizer.halving import attempt_halving

from ..fakes import KEY, SPACE, HashEmbedder, make_live, make_vectorizer, rows, store_chunks, vector_of

VECTORS = f"chunk_vectors_{SPACE.slug}"


def stored_vectors(database: Database) -> dict[str, np.ndarray]:
    """Return the stored vector of each text."""
    found = rows(database, f"SELECT c.text, v.embedding FROM {VECTORS} v JOIN document_chunks c ON c.id = v.chunk_id")
    return {text: np.array(vector.to_list()) for text, vector in found}


def test_every_chunk_gets_the_vector_of_its_text(database: Database) -> None:
    """Sorting by length and splitting into batches do not swap vectors."""
    texts = [" ".join(["word"] * (n % 7 + 1)) + f" {n}" for n in range(23)]
    store_chunks(database, texts)

    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    assert report.vectorized_count == 23
    stored = stored_vectors(database)
    assert set(stored) == set(texts)
    for text, vector in stored.items():
        assert np.dot(vector, vector_of(text)) > 0.999


def test_a_text_edited_while_it_is_embedded_is_superseded(database: Database) -> None:
    """Promise 1: the vector of the old text is not stored and the chunk stays pending."""
    store_chunks(database, ["old", "same"])
    embedder = HashEmbedder()
    embedder.before = lambda _: rows(database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'old'")
    vectorizer = make_vectorizer(database, embedder)

    report = vectorizer.vectorize_partition(KEY)

    assert (report.vectorized_count, report.superseded_count) == (1, 1)
    assert set(stored_vectors(database)) == {"same"}
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1
    assert set(stored_vectors(database)) == {"same", "edited"}


def test_a_chunk_deleted_while_it_is_embedded_leaves_nothing(database: Database) -> None:
    """Promise 1: no vector without its chunk."""
    store_chunks(database, ["stays", "goes"])
    embedder = HashEmbedder()
    embedder.before = lambda _: rows(database, "DELETE FROM document_chunks WHERE text = 'goes'")

    report = make_vectorizer(database, embedder).vectorize_partition(KEY)

    assert (report.vectorized_count, report.superseded_count) == (1, 1)
    assert set(stored_vectors(database)) == {"stays"}


def test_a_chunk_held_by_an_editor_is_skipped_not_waited_for(database: Database) -> None:
    """Promise 1: a chunk that is being edited when its batch commits stays pending, and the commit does not wait."""
    store_chunks(database, ["free", "held"])
    vectorizer = make_vectorizer(database, HashEmbedder())

    with database.transaction() as editor:
        editor.execute("UPDATE document_chunks SET text = 'held and edited' WHERE text = 'held'")
        report = vectorizer.vectorize_partition(KEY)

    assert (report.vectorized_count, report.superseded_count) == (1, 1)
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1
    assert set(stored_vectors(database)) == {"free", "held and edited"}


def test_an_edit_after_the_commit_makes_the_chunk_pending_again(database: Database) -> None:
    """A vector is never older than its text: other columns may change, the text may not."""
    store_chunks(database, ["a", "b"])
    vectorizer = make_vectorizer(database, HashEmbedder())
    vectorizer.vectorize_partition(KEY)

    rows(database, "UPDATE document_chunks SET chunk_index = chunk_index + 10")
    assert vectorizer.vectorize_partition(KEY).processed == 0
    rows(database, "UPDATE document_chunks SET text = 'b2' WHERE text = 'b'")

    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1


def test_each_batch_is_one_transaction_and_none_is_open_while_the_model_works(database: Database) -> None:
    """Promise 2: what is reported is committed, and no transaction stays open after the commit.

    The model may work on the next batches while one is being committed; here each waits until those before it are.
    """
    store_chunks(database, [f"text {n}" for n in range(10)])
    embedder = HashEmbedder()
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%%'"
    open_transactions: list[int] = []
    reported = threading.Semaphore(1)  # the first batch waits for nothing

    def work(_: list[str]) -> None:
        reported.acquire()
        open_transactions.append(rows(database, idle)[0][0])

    embedder.before = work
    committed: list[tuple[int, int]] = []

    def on_progress(progress) -> None:
        committed.append((progress.processed, rows(database, f"SELECT count(*) FROM {VECTORS}")[0][0]))
        reported.release()

    make_vectorizer(database, embedder).vectorize_partition(KEY, progress_callback=on_progress)

    assert open_transactions == [0, 0, 0]
    assert committed == [(4, 4), (8, 8), (10, 10)]


def test_the_next_batches_are_embedded_while_one_is_committed(database: Database) -> None:
    """The embedder does not wait for the database: the second batch is embedded before the first is reported."""
    store_chunks(database, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()
    second_at_work = threading.Event()
    embedder.before = lambda _: second_at_work.set() if len(embedder.embedded) >= 4 else None
    waited = []

    make_vectorizer(database, embedder).vectorize_partition(
        KEY, progress_callback=lambda _: waited.append(second_at_work.wait(timeout=30))
    )

    assert waited == [True, True, True]


def test_no_thread_outlives_a_run(database: Database) -> None:
    """All threads end, both after a run that succeeds and after one whose commit fails."""
    store_chunks(database, [f"text {n}" for n in range(40)])
    vectors = PostgresVectorStore(database, SPACE.slug)
    vectorizer = make_vectorizer(database, HashEmbedder(), vectors=vectors)
    before = set(threading.enumerate())

    def refuse(*_: object) -> None:
        raise DatabaseFailed("the disk is full", "53100")

    vectors.commit_batch, commit = refuse, vectors.commit_batch
    with pytest.raises(DatabaseFailed):
        vectorizer.vectorize_partition(KEY)
    assert set(threading.enumerate()) == before
    vectors.commit_batch = commit
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 40

    assert set(threading.enumerate()) == before


def test_several_calls_at_once_keep_the_order_of_the_batches(database: Database) -> None:
    """Batches are committed and reported in their order, whichever call ends first."""
    store_chunks(database, ["word " * (n // 4 + 1) + str(n) for n in range(24)])
    embedder = HashEmbedder()
    embedder.concurrency = 3
    three_at_work = threading.Barrier(3)
    embedder.before = lambda _: three_at_work.wait(timeout=30)
    reports = []

    report = make_vectorizer(database, embedder).vectorize_partition(KEY, progress_callback=reports.append)

    assert report.vectorized_count == 24
    assert [progress.batch_num for progress in reports] == [1, 2, 3, 4, 5, 6]
    lengths = [max(chunk.token_count for chunk in progress.batch_chunks) for progress in reports]
    assert lengths == sorted(lengths, reverse=True)


def test_a_few_chunks_are_shared_out_among_the_calls_at_once(database: Database) -> None:
    """No call is idle, and the number of batches is known from the first batch on."""
    store_chunks(database, [f"text {n}" for n in range(18)])
    embedder = HashEmbedder()
    embedder.concurrency = 4
    four_at_work = threading.Barrier(4)
    embedder.before = lambda _: four_at_work.wait(timeout=30)
    reports = []

    make_vectorizer(database, embedder, batch_size=32).vectorize_partition(KEY, progress_callback=reports.append)

    assert [progress.batch_size for progress in reports] == [5, 5, 5, 3]
    assert [(progress.batch_num, progress.total_batches) for progress in reports] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_only_the_last_window_is_shared_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other windows are split into batches of full size."""
    monkeypatch.setattr(windows, "WINDOW_BATCHES", 1)
    store_chunks(database, [f"text {n}" for n in range(13)])
    embedder = HashEmbedder()
    embedder.concurrency = 3
    reports = []

    make_vectorizer(database, embedder).vectorize_partition(KEY, progress_callback=reports.append)

    assert [progress.batch_size for progress in reports] == [4, 4, 4, 1]
    assert {progress.total_batches for progress in reports} == {4}


@pytest.mark.parametrize("slow", ["reading", "embedding", "committing", "reporting"])
def test_the_report_names_the_slowest_stage(database: Database, monkeypatch: pytest.MonkeyPatch, slow: str) -> None:
    """The bottleneck is the stage that must become faster to make the run faster."""
    monkeypatch.setattr(windows, "WINDOW_BATCHES", 1)
    store_chunks(database, [f"text {n}" for n in range(16)])
    chunks, vectors = PostgresChunkStore(database, SPACE.slug), PostgresVectorStore(database, SPACE.slug)
    embedder = HashEmbedder()
    read, commit, pause = chunks.read_window, vectors.commit_batch, threading.Event()

    def wait_in(stage: str) -> None:
        if stage == slow:
            pause.wait(0.2)

    embedder.before = lambda _: wait_in("embedding")
    chunks.read_window = lambda *given: (wait_in("reading"), read(*given))[1]
    vectors.commit_batch = lambda *given: (wait_in("committing"), commit(*given))[1]
    vectorizer = make_vectorizer(database, embedder, batch_size=2, chunks=chunks, vectors=vectors)

    stages = vectorizer.vectorize_partition(KEY, progress_callback=lambda _: wait_in("reporting")).stages

    assert stages.bottleneck == slow
    spent = {"reading": stages.read, "embedding": stages.embed}
    spent |= {"committing": stages.commit, "reporting": stages.report}
    assert spent[slow] >= 8 * 0.2


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


def test_a_bad_chunk_fails_alone(database: Database) -> None:
    """Promise 3: the rest of its batch commits. It waits with its error for its second attempt, or new text."""
    store_chunks(database, [f"text {n}" for n in range(10)] + ["POISON"])
    vectorizer = make_vectorizer(database, HashEmbedder())

    report = vectorizer.vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (10, 1)
    assert [(failure.chunk.text, failure.error, failure.message) for failure in report.failures] == [
        ("POISON", "ValueError", "poison")
    ]
    assert rows(database, "SELECT error, message, attempts FROM pending_chunks") == [("ValueError", "poison", 1)]
    assert vectorizer.vectorize_partition(KEY).processed == 0
    rows(database, "UPDATE document_chunks SET text = 'corrected' WHERE text = 'POISON'")
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1
    assert rows(database, "SELECT count(*) FROM pending_chunks WHERE attempts > 0") == [(0,)]


def test_force_tries_failed_chunks_again_and_counts_the_attempts(database: Database) -> None:
    """Promise 3: a forced run tries every chunk again, once. Resumed with its id it has nothing left to try."""
    store_chunks(database, ["a", "POISON"])
    vectorizer = make_vectorizer(database, HashEmbedder())
    vectorizer.vectorize_partition(KEY)

    report = vectorizer.vectorize_partition(KEY, force_revectorize=True, run_id="forced")
    resumed = vectorizer.vectorize_partition(KEY, force_revectorize=True, run_id="forced", limit=2)

    assert (report.vectorized_count, report.failed_count, resumed.processed) == (1, 1, 0)
    assert rows(database, "SELECT attempts FROM pending_chunks") == [(2,)]


def test_a_broken_embedder_quarantines_nothing(database: Database) -> None:
    """Promise 3: when even a plain text fails, the chunks are not at fault."""
    store_chunks(database, ["a", "b"])
    vectorizer = make_vectorizer(database, HashEmbedder(poison=""))

    with pytest.raises(EmbedderBroken, match="not at fault"):
        vectorizer.vectorize_partition(KEY)

    assert rows(database, "SELECT count(*) FROM pending_chunks WHERE attempts > 0") == [(0,)]
    assert make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY).vectorized_count == 2


@pytest.mark.parametrize("spoil", [np.nan, np.inf, 0.0, 1e30], ids=["nan", "inf", "zero", "beyond float16"])
def test_a_vector_that_must_not_be_stored_is_quarantined(database: Database, spoil: float) -> None:
    """Promise 4: the others of its batch commit."""
    store_chunks(database, ["a", "b", "spoilt"])
    embedder = HashEmbedder()
    embed = embedder.embed

    def spoiling(texts):
        vectors = embed(texts)
        vectors[[item.text == "spoilt" for item in texts]] = spoil
        return vectors

    embedder.embed = spoiling

    report = make_vectorizer(database, embedder).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (2, 1)
    assert report.failures[0].error == "BadVectors"
    assert set(stored_vectors(database)) == {"a", "b"}


def test_a_failing_callback_costs_a_warning_only(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """Promise 5: every batch is committed and reported, and one warning is logged."""
    store_chunks(database, [f"text {n}" for n in range(10)])
    calls = []

    def failing(progress) -> None:
        calls.append(progress.batch_num)
        raise RuntimeError("nobody listens")

    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, progress_callback=failing)

    assert calls == [1, 2, 3]
    assert (report.vectorized_count, report.callback_errors) == (10, 3)
    assert [record.message for record in caplog.records] == ["the progress callback failed; the work goes on"]


def test_progress_says_where_the_run_stands(database: Database) -> None:
    """The fields of the progress are consistent in every batch."""
    store_chunks(database, [f"text {n}" for n in range(9)] + ["POISON"])
    reports = []

    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, progress_callback=reports.append)

    assert [(p.batch_num, p.total_batches, p.batch_size) for p in reports] == [(1, 3, 4), (2, 3, 4), (3, 3, 2)]
    assert [(p.processed, p.total) for p in reports] == [(4, 10), (8, 10), (10, 10)]
    assert all(p.processed == p.vectorized_count + p.superseded_count + p.failed_count for p in reports)
    assert reports[-1].failed_count == 1
    assert [len(p.batch_chunks) for p in reports] == [4, 4, 2]
    assert reports[0].seconds_left is None  # one batch, with the reading before it, is no speed yet
    assert reports[1].seconds_left > 0
    assert reports[-1].seconds_left == 0
    assert "10/10 chunks (100.0%)" in reports[-1].line()
    assert "1 failed" in reports[-1].details()
    assert "failed" not in reports[0].details()


def test_chunks_by_id_embed_only_what_is_pending(database: Database) -> None:
    """Unknown and repeated ids are skipped, also where they are strings; a forced run embeds current chunks again."""
    store_chunks(database, ["a", "b", "c"])
    ids = [row[0] for row in rows(database, "SELECT id FROM document_chunks ORDER BY id")]
    vectorizer = make_vectorizer(database, HashEmbedder())

    first = vectorizer.vectorize_chunks([ids[0], str(ids[1]), ids[0], str(ids[0]).upper(), uuid4()])
    second = vectorizer.vectorize_chunks(ids)
    forced = vectorizer.vectorize_chunks(ids, force_revectorize=True)

    assert [report.vectorized_count for report in (first, second, forced)] == [2, 1, 3]
    assert vectorizer.vectorize_chunks([]).processed == 0


@pytest.mark.parametrize("given", ["7", "not an id", "", 7, None])
def test_an_id_that_is_no_uuid_is_refused(database: Database, given: object) -> None:
    """Before anything is embedded, also beside ids that are valid."""
    store_chunks(database, ["a"])
    ((id_,),) = rows(database, "SELECT id FROM document_chunks")
    vectorizer = make_vectorizer(database, HashEmbedder())

    with pytest.raises(InvalidChunkId, match="UUID"):
        vectorizer.vectorize_chunks([id_, given], force_revectorize=True)

    assert stored_vectors(database) == {}


def test_chunks_by_id_are_read_in_windows(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pending chunk is embedded once, also if the ids of a whole window belong to current chunks."""
    monkeypatch.setattr(windows, "WINDOW_BATCHES", 1)
    store_chunks(database, [f"text {n}" for n in range(9)])
    ids = [row[0] for row in rows(database, "SELECT id FROM document_chunks ORDER BY id")]
    embedder = HashEmbedder()
    vectorizer = make_vectorizer(database, embedder, batch_size=2)
    vectorizer.vectorize_chunks(ids[2:4])

    report = vectorizer.vectorize_chunks([*reversed(ids), *ids])

    assert report.vectorized_count == 7
    assert sorted(embedder.embedded) == sorted(stored_vectors(database))


def test_no_more_chunks_are_embedded_than_were_pending_when_the_run_began(database: Database) -> None:
    """A run ends even if other programs insert chunks all the time."""
    store_chunks(database, ["a", "b", "c"])
    chunks, embedder = PostgresChunkStore(database, SPACE.slug), HashEmbedder()
    numbers = iter(range(1000))
    embedder.before = lambda texts: store_chunks(database, [f"new {n}" for n in texts], name=f"{next(numbers)}.txt")
    vectorizer = make_vectorizer(database, embedder, batch_size=1, chunks=chunks)
    read = chunks.read_window
    chunks.read_window = lambda selection, after_id, limit: read(selection, after_id, 1)

    report = vectorizer.vectorize_partition(KEY)

    assert (report.total, report.vectorized_count) == (3, 3)
    assert rows(database, "SELECT count(*) FROM pending_chunks") == [(3,)]


def test_a_chunk_that_is_edited_while_it_fails_is_not_quarantined(database: Database) -> None:
    """Promise 3: the error belongs to the old text, and the new text is pending."""
    store_chunks(database, ["a", "POISON"])
    embedder = HashEmbedder()
    embedder.before = lambda _: rows(database, "UPDATE document_chunks SET text = 'new' WHERE text = 'POISON'")
    vectorizer = make_vectorizer(database, embedder)

    report = vectorizer.vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (1, 1)
    assert rows(database, "SELECT * FROM pending_chunks WHERE attempts > 0") == []
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1


def test_the_embedder_is_loaded_and_checked_before_anything_is_stored(database: Database) -> None:
    """A check that fails ends the run; if nothing is pending, the embedder is not loaded at all."""
    store_chunks(database, ["a"])
    embedder = HashEmbedder()
    calls = []
    embedder.load = lambda: calls.append("load")

    def refuse() -> None:
        calls.append("check")
        raise EmbedderBroken("hash", ValueError("the weights have changed"))

    vectors = PostgresVectorStore(database, SPACE.slug)
    make_live(database)
    chunks = PostgresChunkStore(database, SPACE.slug)

    with pytest.raises(EmbedderBroken):
        Vectorizer(chunks, vectors, embedder, check_embedder=refuse).vectorize_partition(KEY)
    assert (calls, stored_vectors(database)) == (["load", "check"], {})
    make_vectorizer(database, embedder).vectorize_partition(KEY)
    make_vectorizer(database, embedder).vectorize_partition(KEY)

    assert calls == ["load", "check", "load"]


def test_loading_the_embedder_is_not_part_of_the_speed(database: Database) -> None:
    """The seconds of a run begin when the embedder is loaded."""
    store_chunks(database, ["a"])
    embedder = HashEmbedder()
    loaded_at = []

    def load() -> None:
        threading.Event().wait(0.3)
        loaded_at.append(time.perf_counter())

    embedder.load = load

    report = make_vectorizer(database, embedder).vectorize_partition(KEY)

    assert report.seconds <= time.perf_counter() - loaded_at[0]
    assert report.stages.load >= 0.3


def test_the_run_id_names_the_run_in_its_report_and_in_its_rows(database: Database) -> None:
    """A run without an id gets one of its own."""
    store_chunks(database, ["a", "POISON"])
    vectorizer = make_vectorizer(database, HashEmbedder())

    report = vectorizer.vectorize_partition(KEY, run_id="a run")

    assert report.run_id == "a run"
    assert rows(database, f"SELECT run_id FROM {VECTORS}") == [("a run",)]
    assert rows(database, "SELECT run_id FROM pending_chunks") == [("a run",)]
    assert vectorizer.vectorize_partition(KEY).run_id != vectorizer.vectorize_partition(KEY).run_id


def test_two_batches_are_committed_at_the_same_time(database: Database) -> None:
    """While the server works on one batch, the next is prepared and sent."""
    store_chunks(database, [f"text {n}" for n in range(16)])
    vectors = PostgresVectorStore(database, SPACE.slug)
    two_commits, commit = threading.Barrier(2), vectors.commit_batch

    def commit_together(*batch: object) -> set[UUID]:
        two_commits.wait(timeout=30)
        return commit(*batch)

    vectors.commit_batch = commit_together

    report = make_vectorizer(database, HashEmbedder(), vectors=vectors).vectorize_partition(KEY)

    assert report.vectorized_count == 16


def test_a_limit_leaves_the_rest_pending(database: Database) -> None:
    """A run embeds at most `limit` chunks."""
    store_chunks(database, [f"text {n}" for n in range(10)])
    vectorizer = make_vectorizer(database, HashEmbedder())

    first = vectorizer.vectorize_partition(KEY, limit=6)

    assert (first.total, first.vectorized_count) == (6, 6)
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 4


def test_two_models_never_share_a_table(database: Database) -> None:
    """Promise 7: another prompt is another space, whose search sees its own vectors only."""
    from vector_assets.domain.search import ChunkFilter

    store_chunks(database, ["a", "b"])
    other = replace(SPACE, document_prompt="passage: ")
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    report = make_vectorizer(database, HashEmbedder(other)).vectorize_partition(KEY, limit=1)

    assert report.vectorized_count == 1
    assert len(PostgresVectorStore(database, other.slug).nearest(vector_of("a"), ChunkFilter(), 9)) == 1
    assert len(PostgresVectorStore(database, SPACE.slug).nearest(vector_of("a"), ChunkFilter(), 9)) == 2


@pytest.mark.parametrize("command", ["retire", "drop"])
def test_a_run_whose_space_ends_stops(database: Database, command: str) -> None:
    """Promise 7: no vector is written into a space that is not live; batches committed before stay in a retired one."""
    registry = SpaceRegistry(database)
    registry.register_first(replace(SPACE, query_prompt="query: "))
    store_chunks(database, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()
    vectorizer = make_vectorizer(database, embedder)
    embedder.before = lambda _: getattr(registry, command)(SPACE.slug) if len(embedder.embedded) == 8 else None

    with pytest.raises(SpaceNotLive):
        vectorizer.vectorize_partition(KEY, progress_callback=lambda _: None)

    registry.add(SPACE)
    kept = len(stored_vectors(database))
    assert kept in ({0, 4, 8} if command == "retire" else {0})
    assert make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY).vectorized_count == 12 - kept


def test_a_run_goes_on_while_its_space_is_promoted(database: Database) -> None:
    """It is live before and after that, and so is the space that gives way."""
    registry, other = SpaceRegistry(database), replace(SPACE, query_prompt="query: ")
    registry.register_first(other)
    store_chunks(database, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()
    vectorizer = make_vectorizer(database, embedder)
    embedder.before = lambda _: registry.promote((SPACE, other)[len(embedder.embedded) // 4 % 2].slug)

    assert vectorizer.vectorize_partition(KEY).vectorized_count == 12
    assert registry.serving() == SPACE
    assert make_vectorizer(database, HashEmbedder(other)).vectorize_partition(KEY).vectorized_count == 12


# By force


def test_a_forced_run_embeds_everything_again(database: Database) -> None:
    """Chunks that are pending, current or quarantined; afterwards all of them are as after any other run."""
    store_chunks(database, ["a", "POISON"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)
    store_chunks(database, ["new"], name="b.txt")

    report = make_vectorizer(database, HashEmbedder(poison="nothing")).vectorize_partition(KEY, force_revectorize=True)

    assert (report.total, report.vectorized_count) == (3, 3)
    assert rows(database, "SELECT count(*) FROM pending_chunks") == [(0,)]
    assert rows(database, f"SELECT DISTINCT run_id FROM {VECTORS}") == [(report.run_id,)]


@pytest.mark.parametrize("by_id", [False, True], ids=["partition", "ids"])
def test_a_forced_run_that_was_stopped_goes_on_under_its_id(database: Database, by_id: bool) -> None:
    """What it has embedded is not embedded again; what it left is pending, for any other run too."""
    store_chunks(database, [f"text {n}" for n in range(12)])
    ids = [row[0] for row in rows(database, "SELECT id FROM document_chunks")]
    embedder = HashEmbedder()
    vectorizer = make_vectorizer(database, embedder)
    vectorizer.vectorize_partition(KEY)
    embedder.embedded.clear()

    def forced():
        if by_id:
            return vectorizer.vectorize_chunks(ids, True, run_id="forced")
        return vectorizer.vectorize_partition(KEY, True, run_id="forced")

    def stop(_: list[str]) -> None:
        if len(embedder.embedded) >= 8:
            raise KeyboardInterrupt

    embedder.before = stop
    with pytest.raises(KeyboardInterrupt):
        forced()
    pending = rows(database, "SELECT count(*) FROM pending_chunks")[0][0]
    done = rows(database, f"SELECT count(*) FROM {VECTORS} WHERE run_id = 'forced'")[0][0]
    assert (done, pending) == (8, 4)
    embedder.before = lambda _: None

    report = forced()

    assert (report.total, report.vectorized_count) == (4, 4)
    assert len(embedder.embedded) == len(set(embedder.embedded)) == 12
    assert forced().total == 0


def test_forced_runs_with_a_limit_go_on_where_the_last_one_stopped(database: Database) -> None:
    """The oldest vectors come first, until each chunk has had its turn; then they begin again."""
    store_chunks(database, [f"text {n}" for n in range(9)])
    embedder = HashEmbedder()
    vectorizer = make_vectorizer(database, embedder)
    vectorizer.vectorize_partition(KEY)
    rounds = []

    for _ in range(4):
        embedder.embedded.clear()
        assert vectorizer.vectorize_partition(KEY, True, limit=3).vectorized_count == 3
        rounds.append(set(embedder.embedded))

    assert set.union(*rounds[:3]) == {f"text {n}" for n in range(9)}
    assert rounds[3] == rounds[0]


def test_a_forced_run_with_a_limit_that_goes_on_does_not_begin_again(database: Database) -> None:
    """What it has embedded under its id counts towards the limit."""
    store_chunks(database, [f"text {n}" for n in range(9)])
    embedder = HashEmbedder()
    vectorizer = make_vectorizer(database, embedder, batch_size=2)
    vectorizer.vectorize_partition(KEY)
    embedder.embedded.clear()

    def stop(_: list[str]) -> None:
        if len(embedder.embedded) >= 4:
            raise KeyboardInterrupt

    embedder.before = stop
    with pytest.raises(KeyboardInterrupt):
        vectorizer.vectorize_partition(KEY, True, limit=6, run_id="forced")
    embedder.before = lambda _: None

    assert vectorizer.vectorize_partition(KEY, True, limit=6, run_id="forced").vectorized_count == 2

    assert len(set(embedder.embedded)) == 6
    assert vectorizer.vectorize_partition(KEY, True, limit=6, run_id="forced").total == 0


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


def test_the_loop_never_asks_for_more_than_a_window(database: Database) -> None:
    """Promise 8: a partition of any size is read by windows."""
    store_chunks(database, [f"text {n}" for n in range(600)])
    chunks = PostgresChunkStore(database, SPACE.slug)
    vectorizer = make_vectorizer(database, HashEmbedder(), batch_size=4, chunks=chunks)
    asked = []
    read = chunks.read_window

    def spying(selection: ChunkSelection, after_id: UUID, limit: int) -> ChunkWindow:
        asked.append(limit)
        return read(selection, after_id, limit)

    chunks.read_window = spying
    vectorizer.vectorize_partition(KEY)

    assert max(asked) == WINDOW_BATCHES * 4
    assert len(asked) == 3


def test_text_reaches_the_embedder_unaltered(database: Database) -> None:
    """Promise 12: Chinese, white space, emoji and combining signs arrive as they are stored."""
    texts = ["董事会审议通过了年度报告。", "  two  spaces\tand\ttabs ", "é é 🙂 ①", "\u200bzero\u00a0width"]
    store_chunks(database, texts)
    embedder = HashEmbedder()

    make_vectorizer(database, embedder).vectorize_partition(KEY)

    assert sorted(embedder.embedded) == sorted(texts)


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_size_below_one_is_refused(database: Database, size: int) -> None:
    """Promise 11: the error is one line with the fix."""
    with pytest.raises(InvalidSetting, match="below 1"):
        make_vectorizer(database, HashEmbedder(), batch_size=size)


def test_halving_finds_each_failing_item_and_keeps_the_order() -> None:
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
