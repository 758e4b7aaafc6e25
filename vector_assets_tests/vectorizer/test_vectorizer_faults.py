"""An embedder, a callback or a store fails in every way, and the vectors that are stored are right all the same."""

import ctypes
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import URL, make_url

from vector_assets.domain.chunks import BEFORE_ALL_CHUNKS, ChunkSelection, ChunkWindow, TokenizedText
from vector_assets.domain.spaces import Vectors
from vector_assets.errors import DatabaseFailed, EmbedderBroken, EmbedderHung, InvalidSetting
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import windows

from ..fakes import DIMENSION, KEY, SPACE, FakeServices, HashEmbedder, make_vectorizer, rows, store_chunks
from ..forked_programs import ForkedProgram
from ..invariants import check_invariants

Answer = Callable[[list[TokenizedText], Vectors], Vectors]


def answering(answer: Answer) -> HashEmbedder:
    """Make an embedder whose answers are changed by `answer`, which gets the texts as well."""
    embedder = HashEmbedder()
    embed = embedder.embed
    embedder.embed = lambda texts: answer(texts, embed(texts))
    return embedder


def spoilt(texts: list[TokenizedText]) -> bool:
    """Return whether the one bad text is among these."""
    return any(item.text == "spoilt" for item in texts)


def threads() -> set[str]:
    """Return the names of threads that a run has left."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("vector-assets-")}


def texts_with_vector(database: Database) -> set[str]:
    """Return the texts of all chunks that have a vector."""
    query = f"SELECT c.text FROM chunk_vectors_{SPACE.slug} v JOIN document_chunks c ON c.id = v.chunk_id"
    return {row[0] for row in rows(database, query)}


# One bad chunk


def raising(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
    """Raise an error, as a library does that cannot process a text."""
    if spoilt(texts):
        raise RuntimeError("the kernel failed\non row 3")
    return vectors


BAD_ANSWERS: dict[str, Answer] = {
    "raises": raising,
    "one vector too few": lambda texts, vectors: vectors[1:] if spoilt(texts) else vectors,
    "one vector too many": lambda texts, vectors: np.vstack([vectors, vectors[:1]]) if spoilt(texts) else vectors,
    "a dimension too few": lambda texts, vectors: vectors[:, 1:] if spoilt(texts) else vectors,
    "a dimension too many": lambda texts, vectors: np.hstack([vectors, vectors]) if spoilt(texts) else vectors,
    "one flat row": lambda texts, vectors: vectors.ravel() if spoilt(texts) else vectors,
    "whole numbers": lambda texts, vectors: (vectors * 127).astype(np.int8) if spoilt(texts) else vectors,
    "complex numbers": lambda texts, vectors: vectors.astype(np.complex64) if spoilt(texts) else vectors,
    "no array": lambda texts, vectors: vectors.tolist() if spoilt(texts) else vectors,
    "nothing": lambda texts, vectors: None if spoilt(texts) else vectors,
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_one_bad_answer_costs_one_chunk(database: Database, answer: Answer) -> None:
    """Promises 3 and 4: the other chunks of the batch are stored with the right vectors, whatever is wrong."""
    store_chunks(database, ["a", "b", "spoilt", "c", "d", "e"])

    report = make_vectorizer(database, answering(answer)).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (5, 1)
    assert [failure.chunk.text for failure in report.failures] == ["spoilt"]
    assert texts_with_vector(database) == {"a", "b", "c", "d", "e"}
    check_invariants(database, HashEmbedder())


def test_a_chunk_that_cannot_be_tokenized_fails_alone(database: Database) -> None:
    """Promise 3: the other chunks of its window are embedded."""
    store_chunks(database, [f"text {n}" for n in range(9)] + ["spoilt"])
    embedder = HashEmbedder()
    tokenize = embedder.tokenize

    def failing(texts: list[str]) -> list[TokenizedText]:
        if "spoilt" in texts:
            raise ValueError("no such letter")
        return tokenize(texts)

    embedder.tokenize = failing

    report = make_vectorizer(database, embedder).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (9, 1)
    assert rows(database, "SELECT error, message FROM pending_chunks WHERE attempts > 0") == [
        ("ValueError", "no such letter")
    ]
    check_invariants(database, HashEmbedder())


def test_blank_chunks_never_get_a_vector(database: Database) -> None:
    """Other programs may insert them; the chunks beside them are embedded."""
    store_chunks(database, ["text", "  \n\t", "\u3000\xa0", "\u200b\ufeff"])

    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (1, 4)  # a line is a chunk
    assert rows(database, "SELECT DISTINCT error FROM pending_chunks") == [("BlankChunk",)]
    assert texts_with_vector(database) == {"text"}


def test_double_precision_is_stored(database: Database) -> None:
    """Another precision is no error: the vector is the same."""
    store_chunks(database, ["a", "b"])
    embedder = answering(lambda _, vectors: vectors.astype(np.float64))

    assert make_vectorizer(database, embedder).vectorize_partition(KEY).vectorized_count == 2
    check_invariants(database, HashEmbedder())


def test_an_embedder_may_use_its_array_again(database: Database) -> None:
    """Answers that wait to be stored are not overwritten by the next one."""
    store_chunks(database, [f"text {n}" for n in range(24)])
    buffer = np.empty((4, DIMENSION), np.float32)

    def reused(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        buffer[: len(texts)] = vectors
        return buffer[: len(texts)]

    make_vectorizer(database, answering(reused)).vectorize_partition(KEY)

    assert check_invariants(database, HashEmbedder()).pending == []


@pytest.mark.parametrize("message", ["NUL \0", "half a pair \ud800", "two\nlines", "\x1b[31m 公告 \u202e", ""])
def test_an_odd_message_is_kept(database: Database, message: str) -> None:
    """The failure is stored whatever its message is; an error without a message is stored with its class."""
    store_chunks(database, ["a", "spoilt"])

    def answer(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        if spoilt(texts):
            raise RuntimeError(message)
        return vectors

    report = make_vectorizer(database, answering(answer)).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (1, 1)
    ((kept,),) = rows(database, "SELECT message FROM pending_chunks WHERE attempts > 0")
    assert kept == (message.replace("\0", "\\0").replace("\ud800", "\\ud800") or "RuntimeError('')")


def test_an_error_without_a_readable_message_is_kept(database: Database) -> None:
    """Promise 3: an error whose message cannot be read fails one chunk, not the run."""
    store_chunks(database, ["a", "spoilt"])

    class Unreadable(Exception):
        def __str__(self) -> str:
            raise ValueError("cannot be shown")

    def answer(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        if spoilt(texts):
            raise Unreadable
        return vectors

    make_vectorizer(database, answering(answer)).vectorize_partition(KEY)

    assert rows(database, "SELECT error, message FROM pending_chunks WHERE attempts > 0") == [
        ("Unreadable", "Unreadable, whose message cannot be read")
    ]


# An embedder that is out of order


def test_out_of_memory_halves_the_batch_and_quarantines_nothing(database: Database) -> None:
    """Promise 3: chunks that fit into memory in a smaller batch are stored."""
    store_chunks(database, [f"text {n}" for n in range(30)])

    def small_only(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        if len(texts) > 3:
            raise MemoryError(f"{len(texts)} texts")
        return vectors

    report = make_vectorizer(database, answering(small_only), batch_size=16).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count, report.batches) == (30, 0, 2)
    assert rows(database, "SELECT count(*) FROM pending_chunks WHERE attempts > 0") == [(0,)]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _, vectors: vectors * np.nan,
        lambda _, vectors: vectors[:, 1:],
        lambda _, vectors: vectors[1:],
        lambda texts, _: {}["weights"],
    ],
    ids=["nan", "dimension", "count", "raises"],
)
def test_when_every_answer_is_bad_no_chunk_is_blamed(database: Database, answer: Answer) -> None:
    """Promise 3: the run fails with one line that says that the embedder is broken; all chunks stay pending."""
    store_chunks(database, [f"text {n}" for n in range(10)])

    with pytest.raises(EmbedderBroken, match=r"not at fault.*doctor") as caught:
        make_vectorizer(database, answering(answer)).vectorize_partition(KEY)

    assert "\n" not in str(caught.value)
    assert "pending_chunks" not in str(caught.value)
    assert len(check_invariants(database, HashEmbedder()).pending) == 10
    assert threads() == set()


def test_an_embedder_that_breaks_half_way_keeps_what_was_committed(database: Database) -> None:
    """Promises 2 and 3: batches before the fault are stored, and no chunk is quarantined for it."""
    store_chunks(database, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()

    def breaking(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        if len(embedder.embedded) > 8:
            raise RuntimeError("CUDA error:\n an illegal memory access was encountered")
        return vectors

    embed = embedder.embed
    embedder.embed = lambda texts: breaking(texts, embed(texts))

    with pytest.raises(EmbedderBroken, match="illegal memory access") as caught:
        make_vectorizer(database, embedder).vectorize_partition(KEY)

    assert "\n" not in str(caught.value)
    findings = check_invariants(database, HashEmbedder())
    assert (len(findings.current), len(findings.pending)) == (8, 4)


# A callback or a store that fails


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_callback_may_stop_the_run(database: Database, error: type[BaseException]) -> None:
    """Promises 2 and 5: an interrupt stops the run; whole batches stay, and no thread does."""
    store_chunks(database, [f"text {n}" for n in range(40)])

    def stop_after_two(progress) -> None:
        if progress.batch_num == 2:
            raise error

    with pytest.raises(error):
        make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, progress_callback=stop_after_two)

    current = len(check_invariants(database, HashEmbedder()).current)
    assert 8 <= current < 40  # later batches may have been committed before the second was reported
    assert current % 4 == 0
    assert threads() == set()


@pytest.mark.parametrize("error", [DatabaseFailed("the disk is full", "53100"), OSError("no such socket")])
def test_a_store_that_fails_half_way_keeps_the_batches_before(database: Database, error: Exception) -> None:
    """Promise 2: its error ends the run, no chunk is quarantined, no thread stays."""
    store_chunks(database, [f"text {n}" for n in range(40)])
    vectors = PostgresVectorStore(database, SPACE.slug)
    vectorizer = make_vectorizer(database, HashEmbedder(), vectors=vectors)
    commit = vectors.commit_batch
    batches = []

    def failing(*batch: object) -> set[UUID]:
        batches.append(batch)
        if len(batches) > 2:
            raise error
        return commit(*batch)

    vectors.commit_batch = failing

    with pytest.raises(type(error)):
        vectorizer.vectorize_partition(KEY)

    findings = check_invariants(database, HashEmbedder())
    assert (len(findings.current), len(findings.pending)) == (8, 32)
    assert threads() == set()


def test_a_window_that_cannot_be_read_keeps_the_batches_before(database: Database) -> None:
    """Promise 2: an error of the thread that reads ahead ends the run after the batches before it."""
    store_chunks(database, [f"text {n}" for n in range(300)])
    chunks = PostgresChunkStore(database, SPACE.slug)
    vectorizer = make_vectorizer(database, HashEmbedder(), batch_size=2, chunks=chunks)
    read = chunks.read_window

    def failing(selection: ChunkSelection, after_id: UUID, limit: int) -> ChunkWindow:
        if after_id != BEFORE_ALL_CHUNKS:
            raise DatabaseFailed("the connection is gone", "57P01")
        return read(selection, after_id, limit)

    chunks.read_window = failing

    with pytest.raises(DatabaseFailed):
        vectorizer.vectorize_partition(KEY)

    assert len(check_invariants(database, HashEmbedder()).current) >= 124  # of 128; up to two batches wait their turn
    assert threads() == set()


# An embedder that does not answer


def main(url: str, home: str) -> None:
    """Vectorize in batches of 2; after the second, the embedder waits in native code for what never comes."""
    embedder = HashEmbedder()
    embedder.before = lambda _: ctypes.CDLL(None).pause() if len(embedder.embedded) >= 4 else None
    with FakeServices(make_url(url), Path(home), Path(home), embedder) as services:
        services.vectorizer(2).vectorize_partition(KEY)


def test_a_process_whose_embedder_hangs_ends_by_itself(database: Database, database_url: URL, tmp_path: Path) -> None:
    """It ends with EmbedderHung; committed batches stay, no chunk is quarantined, and the next run does the rest."""
    store_chunks(database, [f"text {n}" for n in range(12)])
    url = database_url.render_as_string(hide_password=False)
    environment = {"VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS": "1"}

    with ForkedProgram(__name__, url, str(tmp_path), environment=environment, with_errors=True) as child:
        _, errors = child.communicate(timeout=60)

    assert child.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert re.match(r"vector_assets\.errors\.\w+\.EmbedderHung: the embedder 'hash' did not answer within 1 s", last)
    assert "VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS" in last
    findings = check_invariants(database, HashEmbedder())
    assert (len(findings.current), len(findings.pending)) == (4, 8)
    assert make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY).vectorized_count == 8


@pytest.fixture
def answers() -> threading.Event:
    """An event that a hanging embedder waits for. It is set at the end of the test."""
    event = threading.Event()
    yield event
    event.set()
    deadline = time.monotonic() + 30
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == set()  # one that was left behind ends with its call


def wait_for(answers: threading.Event) -> None:
    """Hang until the end of the test. If the run is still waiting after 30 seconds, fail the test."""
    if not answers.wait(30):
        pytest.fail("the run did not give up on a call that hangs")


@pytest.mark.parametrize("call", ["load", "tokenize", "embed"])
def test_each_call_of_the_embedder_has_its_time(database: Database, answers: threading.Event, call: str) -> None:
    """If a call does not answer, the run ends, and no chunk is quarantined."""
    store_chunks(database, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()
    setattr(embedder, call, lambda *_: wait_for(answers))
    before = time.monotonic()

    with pytest.raises(EmbedderHung, match=r"did not answer within 0\.2 s"):
        make_vectorizer(database, embedder, embed_timeout_seconds=0.2).vectorize_partition(KEY)

    assert 0.2 <= time.monotonic() - before < 10
    assert len(check_invariants(database, HashEmbedder()).pending) == 12


def test_of_several_calls_at_once_one_hangs(database: Database, answers: threading.Event) -> None:
    """The batches before it are committed, and calls that hang later are not waited for."""
    store_chunks(database, [f"text {n:02}" for n in range(32)])
    embedder = HashEmbedder()
    embedder.concurrency = 3
    embedder.before = lambda texts: wait_for(answers) if texts[0] >= "text 08" else None

    with pytest.raises(EmbedderHung):
        make_vectorizer(database, embedder, embed_timeout_seconds=0.3).vectorize_partition(KEY)

    findings = check_invariants(database, HashEmbedder())
    assert (len(findings.current), len(findings.quarantined)) == (8, 0)


def test_an_error_elsewhere_is_not_held_up_by_a_hanging_embedder(database: Database, answers: threading.Event) -> None:
    """The store's error ends the run within the embedder's time limit."""
    store_chunks(database, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()
    embedder.before = lambda _: wait_for(answers) if len(embedder.embedded) >= 8 else None
    vectors = PostgresVectorStore(database, SPACE.slug)
    vectorizer = make_vectorizer(database, embedder, embed_timeout_seconds=0.3, vectors=vectors)

    def refuse(*_: object) -> set[UUID]:
        raise DatabaseFailed("the disk is full", "53100")

    vectors.commit_batch = refuse

    with pytest.raises(DatabaseFailed):
        vectorizer.vectorize_partition(KEY)


def test_only_the_embedders_own_time_is_counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow reading, commits and callbacks, and a batch of many calls, do not count against the time limit."""
    monkeypatch.setattr(windows, "WINDOW_BATCHES", 1)  # so that two windows are read
    store_chunks(database, [f"text {n}" for n in range(11)] + ["POISON"])
    embedder = HashEmbedder()
    embedder.before = lambda _: time.sleep(0.1)
    chunks, vectors = PostgresChunkStore(database, SPACE.slug), PostgresVectorStore(database, SPACE.slug)
    vectorizer = make_vectorizer(database, embedder, 6, 0.3, chunks=chunks, vectors=vectors)
    read, commit = chunks.read_window, vectors.commit_batch
    chunks.read_window = lambda *given: (time.sleep(0.4), read(*given))[1]
    vectors.commit_batch = lambda *given: (time.sleep(0.4), commit(*given))[1]

    report = vectorizer.vectorize_partition(KEY, progress_callback=lambda _: time.sleep(0.4))

    assert (report.vectorized_count, report.failed_count) == (11, 1)
    assert report.stages.embed > 0.5  # eight calls, of which none is too long


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_for_the_embedder_is_refused(database: Database, seconds: float) -> None:
    """Promise 11: the time limit must be more than zero."""
    with pytest.raises(InvalidSetting, match="embed_timeout_seconds"):
        make_vectorizer(database, HashEmbedder(), embed_timeout_seconds=seconds)
