"""What an embedder, a callback or a store can do to a run, and what stays whole all the same."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import URL

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import Vectors
from vector_assets.errors import DatabaseFailed, EmbedderBroken, EmbedderHung, InvalidSetting
from vector_assets.storage.database import Database

from ..fakes import DIMENSION, KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks
from ..invariants import check_invariants
from ..memory.database import MemoryDatabase
from ..stores import stores_of

Answer = Callable[[list[TokenizedText], Vectors], Vectors]


def answering(answer: Answer) -> HashEmbedder:
    """An embedder whose every answer is passed through `answer` with the texts it is for."""
    embedder = HashEmbedder()
    embed = embedder.embed
    embedder.embed = lambda texts: answer(texts, embed(texts))
    return embedder


def spoilt(texts: list[TokenizedText]) -> bool:
    """Whether the one bad text is among them."""
    return any(item.text == "spoilt" for item in texts)


def threads() -> set[str]:
    """Those that a run may have left."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("vector-assets-")}


def texts_with_vector(database: Database) -> set[str]:
    """Of which there is one."""
    query = f"SELECT c.text FROM chunk_vectors_{SPACE.slug} v JOIN document_chunks c ON c.id = v.chunk_id"
    return {row[0] for row in rows(database, query)}


# One bad chunk


def raising(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
    """What a library does that was given what it cannot take."""
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
def test_one_bad_answer_costs_one_chunk(memory: MemoryDatabase, answer: Answer) -> None:
    """Promises 3 and 4: whatever is wrong with it, the others of its batch are stored and are right."""
    store_chunks(memory, ["a", "b", "spoilt", "c", "d", "e"])

    report = make_vectorizer(memory, answering(answer)).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (5, 1)
    assert [failure.chunk.text for failure in report.failures] == ["spoilt"]
    assert set(stores_of(memory).vectors_by_text(SPACE.slug)) == {"a", "b", "c", "d", "e"}
    check_invariants(memory, HashEmbedder())


def test_a_chunk_that_cannot_be_tokenized_fails_alone(memory: MemoryDatabase) -> None:
    """Promise 3: in a window of many, whose other chunks are embedded."""
    store_chunks(memory, [f"text {n}" for n in range(9)] + ["spoilt"])
    embedder = HashEmbedder()
    tokenize = embedder.tokenize

    def failing(texts: list[str]) -> list[TokenizedText]:
        if "spoilt" in texts:
            raise ValueError("no such letter")
        return tokenize(texts)

    embedder.tokenize = failing

    report = make_vectorizer(memory, embedder).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (9, 1)
    assert stores_of(memory).failures() == [("ValueError", "no such letter", 1)]
    check_invariants(memory, HashEmbedder())


def test_double_precision_is_stored_as_it_is_meant(memory: MemoryDatabase) -> None:
    """Another width of number is no error: the vector is the same."""
    store_chunks(memory, ["a", "b"])
    embedder = answering(lambda _, vectors: vectors.astype(np.float64))

    assert make_vectorizer(memory, embedder).vectorize_partition(KEY).vectorized_count == 2
    check_invariants(memory, HashEmbedder())


def test_an_embedder_may_use_its_array_again(memory: MemoryDatabase) -> None:
    """Answers that wait to be stored are not overwritten by the next one."""
    store_chunks(memory, [f"text {n}" for n in range(24)])
    buffer = np.empty((4, DIMENSION), np.float32)

    def reused(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        buffer[: len(texts)] = vectors
        return buffer[: len(texts)]

    make_vectorizer(memory, answering(reused)).vectorize_partition(KEY)

    assert check_invariants(memory, HashEmbedder()).pending == []


@pytest.mark.parametrize("message", ["NUL \0", "half a pair \ud800", "two\nlines", "\x1b[31m 公告 \u202e", ""])
def test_an_odd_message_is_kept(database: Database, message: str) -> None:
    """The failure is stored whatever it says; one that says nothing is told by its kind."""
    store_chunks(database, ["a", "spoilt"])

    def answer(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        if spoilt(texts):
            raise RuntimeError(message)
        return vectors

    report = make_vectorizer(database, answering(answer)).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (1, 1)
    ((kept,),) = rows(database, "SELECT message FROM chunk_failures")
    assert kept == (message.replace("\0", "\\0").replace("\ud800", "\\ud800") or "RuntimeError('')")


def test_an_error_without_a_readable_message_is_kept(memory: MemoryDatabase) -> None:
    """Promise 3: an error that fails itself fails one chunk, not the run."""
    store_chunks(memory, ["a", "spoilt"])

    class Unreadable(Exception):
        def __str__(self) -> str:
            raise ValueError("cannot be shown")

    def answer(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        if spoilt(texts):
            raise Unreadable
        return vectors

    make_vectorizer(memory, answering(answer)).vectorize_partition(KEY)

    assert stores_of(memory).failures() == [("Unreadable", "Unreadable, whose message cannot be read", 1)]


# An embedder that is out of order


def test_out_of_memory_halves_the_batch_and_quarantines_nothing(memory: MemoryDatabase) -> None:
    """Promise 3: what fits alone is stored."""
    store_chunks(memory, [f"text {n}" for n in range(30)])

    def small_only(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        if len(texts) > 3:
            raise MemoryError(f"{len(texts)} texts")
        return vectors

    report = make_vectorizer(memory, answering(small_only), batch_size=16).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count, report.batches) == (30, 0, 2)
    assert stores_of(memory).failures() == []


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
def test_when_every_answer_is_bad_no_chunk_is_blamed(memory: MemoryDatabase, answer: Answer) -> None:
    """Promise 3: the run fails, in one line that says that it is the embedder; all chunks stay pending."""
    store_chunks(memory, [f"text {n}" for n in range(10)])

    with pytest.raises(EmbedderBroken, match=r"not at fault.*doctor") as caught:
        make_vectorizer(memory, answering(answer)).vectorize_partition(KEY)

    assert "\n" not in str(caught.value)
    assert "chunk_failures" not in str(caught.value)
    assert len(check_invariants(memory, HashEmbedder()).pending) == 10
    assert threads() == set()


def test_an_embedder_that_breaks_half_way_keeps_what_was_committed(memory: MemoryDatabase) -> None:
    """Promises 2 and 3: no chunk is blamed for what began after it was read."""
    store_chunks(memory, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()

    def breaking(texts: list[TokenizedText], vectors: Vectors) -> Vectors:
        if len(embedder.embedded) > 8:
            raise RuntimeError("CUDA error:\n an illegal memory access was encountered")
        return vectors

    embed = embedder.embed
    embedder.embed = lambda texts: breaking(texts, embed(texts))

    with pytest.raises(EmbedderBroken, match="illegal memory access") as caught:
        make_vectorizer(memory, embedder).vectorize_partition(KEY)

    assert "\n" not in str(caught.value)
    findings = check_invariants(memory, HashEmbedder())
    assert (len(findings.current), len(findings.pending)) == (8, 4)


# Whoever is told, and where it is stored


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_callback_may_stop_the_run(database: Database, error: type[BaseException]) -> None:
    """Promises 2 and 5: what asks to stop is no failing callback; whole batches stay and no thread does."""
    store_chunks(database, [f"text {n}" for n in range(40)])

    def stop_after_two(progress) -> None:
        if progress.batch_num == 2:
            raise error

    with pytest.raises(error):
        make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, progress_callback=stop_after_two)

    current = len(check_invariants(database, HashEmbedder()).current)
    assert 8 <= current < 40  # later batches may have been committed before it was told of the second
    assert current % 4 == 0
    assert threads() == set()


@pytest.mark.parametrize("error", [DatabaseFailed("the disk is full", "53100"), OSError("no such socket")])
def test_a_store_that_fails_half_way_keeps_the_batches_before(database: Database, error: Exception) -> None:
    """Promise 2: its error ends the run, no chunk is blamed, no thread stays."""
    store_chunks(database, [f"text {n}" for n in range(40)])
    vectorizer = make_vectorizer(database, HashEmbedder())
    commit = vectorizer._vectors.commit_batch
    batches = []

    def failing(*batch: object) -> set[int]:
        batches.append(batch)
        if len(batches) > 2:
            raise error
        return commit(*batch)

    vectorizer._vectors.commit_batch = failing

    with pytest.raises(type(error)):
        vectorizer.vectorize_partition(KEY)

    findings = check_invariants(database, HashEmbedder())
    assert (len(findings.current), len(findings.pending)) == (8, 32)
    assert threads() == set()


def test_a_window_that_cannot_be_read_keeps_the_batches_before(database: Database) -> None:
    """Promise 2: the same for the thread that reads ahead."""
    store_chunks(database, [f"text {n}" for n in range(300)])
    vectorizer = make_vectorizer(database, HashEmbedder(), batch_size=2)
    read = vectorizer._chunks.read_window

    def failing(selection, after_id: int, up_to_id: int, limit: int):
        if after_id:
            raise DatabaseFailed("the connection is gone", "57P01")
        return read(selection, after_id, up_to_id, limit)

    vectorizer._chunks.read_window = failing

    with pytest.raises(DatabaseFailed):
        vectorizer.vectorize_partition(KEY)

    assert len(check_invariants(database, HashEmbedder()).current) >= 124  # of 128; up to two batches wait their turn
    assert threads() == set()


# An embedder that does not answer

# Vectorizes in batches of 2; after the second, the embedder waits in native code for what never comes.
CHILD = """
import ctypes, sys
from pathlib import Path
from sqlalchemy import make_url
from vector_assets_tests.fakes import KEY, FakeServices, HashEmbedder

embedder = HashEmbedder()
embedder.before = lambda _: ctypes.CDLL(None).pause() if len(embedder.embedded) >= 4 else None
with FakeServices(make_url(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[2]), embedder) as parts:
    parts.vectorizer(2).vectorize_partition(KEY)
"""


def test_a_process_whose_embedder_hangs_ends_by_itself(database: Database, database_url: URL, tmp_path: Path) -> None:
    """With our error; what was committed stays, no chunk is blamed, and the rest is done by the next run."""
    store_chunks(database, [f"text {n}" for n in range(12)])
    url = database_url.render_as_string(hide_password=False)
    environment = os.environ | {"VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS": "1"}

    child = subprocess.run(
        [sys.executable, "-c", CHILD, url, str(tmp_path)], env=environment, capture_output=True, text=True, timeout=60
    )

    assert child.returncode == 1
    last = child.stderr.strip().splitlines()[-1]
    assert last.startswith("vector_assets.errors.EmbedderHung: the embedder 'hash' did not answer within 1 s")
    assert "VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS" in last
    findings = check_invariants(database, HashEmbedder())
    assert (len(findings.current), len(findings.pending)) == (4, 8)
    assert make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY).vectorized_count == 8


@pytest.fixture
def answers() -> threading.Event:
    """What a hanging embedder waits for; it comes at the end of the test."""
    event = threading.Event()
    yield event
    event.set()
    deadline = time.monotonic() + 30
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() == set()  # one that was left behind ends with its call


@pytest.mark.parametrize("call", ["load", "tokenize", "embed"])
def test_each_call_of_the_embedder_has_its_time(memory: MemoryDatabase, answers: threading.Event, call: str) -> None:
    """Whichever does not answer, the run ends, and no chunk is blamed."""
    store_chunks(memory, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()
    setattr(embedder, call, lambda *_: answers.wait())
    before = time.monotonic()

    with pytest.raises(EmbedderHung, match=r"did not answer within 0\.2 s"):
        make_vectorizer(memory, embedder, embed_timeout_seconds=0.2).vectorize_partition(KEY)

    assert 0.2 <= time.monotonic() - before < 10
    assert len(check_invariants(memory, HashEmbedder()).pending) == 12


def test_of_several_calls_at_once_one_hangs(memory: MemoryDatabase, answers: threading.Event) -> None:
    """The batches before it are committed, and the others that hang later are not waited for as well."""
    store_chunks(memory, [f"text {n:02}" for n in range(32)])
    embedder = HashEmbedder()
    embedder.concurrency = 3
    embedder.before = lambda texts: answers.wait() if texts[0] >= "text 08" else None

    with pytest.raises(EmbedderHung):
        make_vectorizer(memory, embedder, embed_timeout_seconds=0.3).vectorize_partition(KEY)

    findings = check_invariants(memory, HashEmbedder())
    assert (len(findings.current), len(findings.quarantined)) == (8, 0)


def test_an_error_elsewhere_is_not_held_up_by_a_hanging_embedder(
    memory: MemoryDatabase, answers: threading.Event
) -> None:
    """The store's error is the one that is told, within the embedder's time."""
    store_chunks(memory, [f"text {n}" for n in range(12)])
    embedder = HashEmbedder()
    embedder.before = lambda _: answers.wait() if len(embedder.embedded) >= 8 else None
    vectorizer = make_vectorizer(memory, embedder, embed_timeout_seconds=0.3)

    def refuse(*_: object) -> set[int]:
        raise DatabaseFailed("the disk is full", "53100")

    vectorizer._vectors.commit_batch = refuse

    with pytest.raises(DatabaseFailed):
        vectorizer.vectorize_partition(KEY)


def test_only_the_embedders_own_time_is_counted(memory: MemoryDatabase) -> None:
    """Slow reading, commits and callbacks, and a batch that takes many calls, are not taken for a hanging embedder."""
    store_chunks(memory, [f"text {n}" for n in range(11)] + ["POISON"])
    embedder = HashEmbedder()
    embedder.before = lambda _: time.sleep(0.1)
    vectorizer = make_vectorizer(memory, embedder, batch_size=6, embed_timeout_seconds=0.3)
    read, commit = vectorizer._chunks.read_window, vectorizer._vectors.commit_batch
    vectorizer._chunks.read_window = lambda *given: (time.sleep(0.4), read(*given))[1]
    vectorizer._vectors.commit_batch = lambda *given: (time.sleep(0.4), commit(*given))[1]

    report = vectorizer.vectorize_partition(KEY, progress_callback=lambda _: time.sleep(0.4))

    assert (report.vectorized_count, report.failed_count) == (11, 1)
    assert report.stages.embed > 0.5  # eight calls, of which none is too long


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_for_the_embedder_is_refused(memory: MemoryDatabase, seconds: float) -> None:
    """Promise 11."""
    with pytest.raises(InvalidSetting, match="embed_timeout_seconds"):
        make_vectorizer(memory, HashEmbedder(), embed_timeout_seconds=seconds)
