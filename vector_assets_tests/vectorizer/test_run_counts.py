"""What a run counts, and which thread writes the counts and the clocks."""

import dataclasses
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from vector_assets.domain.chunks import ChunkSelection, TokenizedText
from vector_assets.domain.reports import StageSeconds
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.vectorizer import loop, pipeline, windows
from vector_assets.vectorizer.run_counts import RunCounts
from vector_assets.vectorizer.thread_stages import WaitSeconds
from vector_assets.vectorizer.windows import WindowSeconds

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks


def writers_of(record: type) -> tuple[type, set[threading.Thread]]:
    """Return a subclass of a record that notes which threads write its fields, and the set of these threads."""
    threads: set[threading.Thread] = set()

    class Recorded(record):
        def __setattr__(self, name: str, value: object) -> None:
            threads.add(threading.current_thread())
            super().__setattr__(name, value)

    return Recorded, threads


def test_each_clock_is_written_by_the_thread_that_its_docstring_names(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the windows took belongs to the thread that takes the batches, everything else to that of the loop."""
    writers: dict[type, set[threading.Thread]] = {}
    monkeypatch.setattr(windows, "WINDOW_BATCHES", 1)
    for module, record in (
        (loop, StageSeconds),
        (loop, RunCounts),
        (pipeline, WaitSeconds),
        (windows, WindowSeconds),
    ):
        recorded, writers[record] = writers_of(record)
        monkeypatch.setattr(module, record.__name__, recorded)
    store_chunks(database, [f"text {n}" for n in range(9)])

    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, progress_callback=lambda _: None)

    assert report.vectorized_count == 9
    loop_thread = {threading.current_thread()}
    assert (writers[StageSeconds], writers[RunCounts], writers[WaitSeconds]) == (loop_thread,) * 3
    writers[WindowSeconds] -= loop_thread  # which makes it, before the run begins
    assert len(writers[WindowSeconds]) == 1


def test_every_stage_of_a_run_is_measured(database: Database) -> None:
    """No field of the stages stays at zero in a run that does everything."""
    store_chunks(database, [f"text {n}" for n in range(40)])

    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, progress_callback=lambda _: None)

    seconds = dataclasses.asdict(report.stages)
    for wait in ("wait_for_embedder", "wait_for_commit"):  # in such a short run there may be none
        del seconds[wait]
    assert [stage for stage, spent in seconds.items() if not spent > 0] == []


class SomeUnknownWords(HashEmbedder):
    """An embedder whose vocabulary does not hold words in capitals."""

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        return [
            dataclasses.replace(found, unknown_tokens=sum(word.isupper() for word in found.text.split()))
            for found in super().tokenize(texts)
        ]


def test_tokens_are_counted_as_the_model_sees_them(database: Database) -> None:
    """All tokens of the texts, those that are embedded, those that are unknown, and the chunks that are truncated."""
    store_chunks(database, ["word " * (SPACE.max_tokens + 5), "a B c", "D e"])
    progress = []

    report = make_vectorizer(database, SomeUnknownWords(), 2).vectorize_partition(
        KEY, progress_callback=progress.append
    )

    for counts in (report, progress[-1]):
        assert (counts.tokens, counts.tokens_embedded) == (SPACE.max_tokens + 10, SPACE.max_tokens + 5)
        assert (counts.unknown_tokens, counts.truncated_chunks) == (2, 1)
    assert progress[0].truncated_chunks == 1


@pytest.mark.parametrize(
    ("texts", "script"), [(["plain words " * 5, "还 有 中 文 A B"], "han"), (["plain words", "中"], "latin")]
)
def test_the_script_is_that_of_the_text_with_most_unknown_tokens(
    database: Database, texts: list[str], script: str
) -> None:
    """If no token is unknown, it is that of the longest text."""
    store_chunks(database, texts)

    assert make_vectorizer(database, SomeUnknownWords()).vectorize_partition(KEY).script == script


def test_the_first_ten_failures_are_listed(database: Database) -> None:
    """All of them are counted and committed."""
    store_chunks(database, [f"POISON {n}" for n in range(9)] + [f"NAN POISON {n}" for n in range(9)])

    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)

    assert (report.failed_count, len(report.failures)) == (18, 10)
    assert rows(database, "SELECT count(*) FROM pending_chunks WHERE attempts > 0") == [(18,)]


def test_refused_vectors_are_counted_by_their_fault(database: Database) -> None:
    """Over all batches of the run; other failures are not faults of vectors."""
    store_chunks(database, ["nan 1", "nan 2", "zero", "POISON", "good"])
    embedder = HashEmbedder()
    embed = embedder.embed

    def spoiling(texts: Sequence[TokenizedText]) -> np.ndarray:
        vectors = embed(texts)
        for row, item in enumerate(texts):
            vectors[row] *= {"nan": np.nan, "zero": 0.0}.get(item.text.split()[0], 1.0)
        return vectors

    embedder.embed = spoiling

    report = make_vectorizer(database, embedder, batch_size=1).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count) == (1, 4)
    assert sorted(report.faults.values()) == [1, 2]


def test_the_total_follows_chunks_that_become_pending_after_they_were_counted(database: Database) -> None:
    """Of given ids, a chunk that is edited between counting and reading is embedded and counted too."""
    store_chunks(database, ["a", "b", "c"])
    ids = [row[0] for row in rows(database, "SELECT id FROM document_chunks ORDER BY id")]
    chunks = PostgresChunkStore(database, SPACE.slug)
    vectorizer = make_vectorizer(database, HashEmbedder(), batch_size=2, chunks=chunks)
    vectorizer.vectorize_chunks(ids[:1])
    count, progress = chunks.count_pending, []

    def edit_after_counting(selection: ChunkSelection) -> int:
        counted = count(selection)
        rows(database, "UPDATE document_chunks SET text = 'new' WHERE text = 'a'")
        return counted

    chunks.count_pending = edit_after_counting

    report = vectorizer.vectorize_chunks(ids, progress_callback=progress.append)

    assert (report.total, report.processed, report.batches) == (3, 3, 2)
    assert [(each.batch_num, each.processed, each.total) for each in progress] == [(1, 2, 3), (2, 3, 3)]
