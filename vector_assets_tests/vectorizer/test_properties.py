"""Random sequences of edits, faults and runs. After each step the invariants of the tables must hold.

Other programs write between and during the stages of a run: after the plan, after a window was read, while a batch is
tokenized or embedded, before and after its commit. Runs are also stopped, and errors raised, at these points.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.domain.reports import VectorizeReport
from vector_assets.domain.spaces import Vectors
from vector_assets.errors import EmbedderBroken
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Connection, Database
from vector_assets.storage.quarantine import Quarantine
from vector_assets.storage.spaces import SpaceRegistry
from vector_assets.storage.vectors import PostgresVectorStore

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks
from ..invariants import Findings, check_invariants

OTHER = PartitionKey("cn", "announcement", "999001")
VECTORS = f"chunk_vectors_{SPACE.slug}"

# Few, so that a text often comes back, and that several chunks have the same one.
GOOD = [f"{'word ' * (n % 3)}text {n}" for n in range(8)] + ["董事会", "é 🙂"]
BAD = ["POISON", "NAN", "ZERO", "SHORT"]
TEXTS = st.sampled_from(GOOD * 3 + BAD)


class Stopped(BaseException):
    """Stops a run like KeyboardInterrupt, but can only come from this test."""


class Hiccup(Exception):
    """A temporary error."""


class SpoilingEmbedder(HashEmbedder):
    """An embedder that gives bad texts the vectors that their names say; SHORT lacks a row of its batch."""

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        vectors = super().embed(texts)
        for row, item in enumerate(texts):
            vectors[row] *= {"NAN": np.nan, "ZERO": 0.0}.get(item.text, 1.0)
        return vectors[1:] if any(item.text == "SHORT" for item in texts) else vectors


# `{chosen}` is the id of one chunk. No place may be taken twice, so new ones are drawn far beyond the others.
EDITS: dict[str, str] = {
    "edit": "UPDATE document_chunks SET text = %(text)s WHERE id = {chosen}",
    "correct": "UPDATE document_chunks SET text = %(text)s WHERE text IN ('POISON', 'NAN', 'ZERO', 'SHORT')",
    "touch": "UPDATE document_chunks SET chunk_index = 1000000 + (random() * 1e9)::int WHERE id = {chosen}",
    "delete": "DELETE FROM document_chunks WHERE id = {chosen}",
    "delete a document": """
        DELETE FROM documents WHERE id = (SELECT document_id FROM document_chunks WHERE id = {chosen})""",
    "insert": """
        INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash)
        SELECT document_id, '', '', '', 1000000 + (random() * 1e9)::int, %(text)s, ''
        FROM document_chunks WHERE id = {chosen}""",
    "insert again": """
        WITH gone AS (DELETE FROM document_chunks WHERE id = {chosen} RETURNING *)
        INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash)
        SELECT document_id, '', '', '', 1000000 + (random() * 1e9)::int, text, '' FROM gone""",
    "move": """
        UPDATE documents SET (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)
        WHERE id = (SELECT document_id FROM document_chunks WHERE id = {chosen})""",
    "drop a vector": f"DELETE FROM {VECTORS} WHERE chunk_id = {{chosen}}",
    "drop all vectors": f"TRUNCATE {VECTORS}",
    "free": "UPDATE chunk_failures SET next_attempt_at = now()",
}
CHOSEN = """
(SELECT id FROM document_chunks ORDER BY id
 OFFSET %(pick)s %% greatest((SELECT count(*) FROM document_chunks), 1) LIMIT 1)
"""

STAGES = ["plan", "read", "tokenize", "embed", "commit", "callback"]


class Fault(NamedTuple):
    """What happens when a stage is reached for the nth time in a run, to the chunk `pick`, with the new `text`."""

    stage: str
    nth: int
    what: str
    pick: int
    text: str


class Step(NamedTuple):
    """A document is ingested, or ingested again with other lines; other programs write; then there is a run."""

    key: PartitionKey
    document: int
    texts: list[str]
    writes: list[tuple[str, int, str]]
    by_id: bool
    force: bool
    limit: int | None
    batch_size: int
    at_once: int
    faults: list[Fault]


PICKS = st.integers(0, 40)
FAULTS = st.builds(
    Fault,
    stage=st.sampled_from([*STAGES, "embed", "commit"]),
    nth=st.sampled_from([0, 0, 0, 1, 1, 2, 3]),
    what=st.sampled_from([*EDITS, "edit", "edit", "hold", "stop", "fail"]),
    pick=PICKS,
    text=TEXTS,
)
STEPS = st.builds(
    Step,
    key=st.sampled_from([KEY, OTHER]),
    document=st.integers(0, 3),
    texts=st.lists(TEXTS, min_size=1, max_size=14),
    writes=st.lists(st.tuples(st.sampled_from([*EDITS]), PICKS, TEXTS), max_size=2),
    by_id=st.booleans(),
    force=st.sampled_from([False, False, True]),
    limit=st.none() | st.integers(1, 10),
    batch_size=st.integers(1, 5),
    at_once=st.integers(1, 3),
    faults=st.just([]) | st.lists(FAULTS, min_size=2, max_size=6) | st.lists(FAULTS, min_size=2, max_size=6),
)


class Run:
    """A run of the loop with faults at its stages. `reports` holds what the callback was called with."""

    def __init__(
        self, database: Database, key: PartitionKey, faults: list[Fault], batch_size: int, at_once: int
    ) -> None:
        self.database = database
        self.key = key
        self.faults = faults
        self.reports: list[BatchProgress] = []
        self.reached = dict.fromkeys(STAGES, 0)
        self.lock = threading.Lock()
        self.held = ExitStack()
        embedder = SpoilingEmbedder()
        embedder.concurrency = at_once
        embedder.before = lambda _: self.reach("embed")
        embedder.tokenize = self.reaching("tokenize", embedder.tokenize)
        chunks, vectors = PostgresChunkStore(database, SPACE.slug), PostgresVectorStore(database, SPACE.slug)
        self.vectorizer = make_vectorizer(database, embedder, batch_size, chunks=chunks, vectors=vectors)
        chunks.plan = self.reaching("plan", chunks.plan)
        chunks.read_window = self.reaching("read", chunks.read_window)
        vectors.commit_batch = self.reaching("commit", vectors.commit_batch, first=True)

    def of_partition(self, force: bool, limit: int | None) -> VectorizeReport | None:
        """Run the partition. Returns None if the run was stopped or ended by an error."""
        return self._run(lambda: self.vectorizer.vectorize_partition(self.key, force, self.on_progress, limit=limit))

    def of_ids(self, force: bool) -> VectorizeReport | None:
        """Run every second chunk, and one that does not exist."""
        ids = [row[0] for row in rows(self.database, "SELECT id FROM document_chunks ORDER BY id")][::2]
        return self._run(lambda: self.vectorizer.vectorize_chunks([*ids, 10**12], force, self.on_progress))

    def _run(self, call: Callable[[], VectorizeReport]) -> VectorizeReport | None:
        with self.held:
            try:
                return call()
            except (Stopped, Hiccup, EmbedderBroken):  # broken: the hiccup met the text that no model fails on
                return None

    def on_progress(self, progress: BatchProgress) -> None:
        self.reports.append(progress)
        self.reach("callback")

    def reaching(self, stage: str, call: Callable, first: bool = False) -> Callable:
        """Wrap a call, so that the stage is reached after it, or before it."""

        def wrapped(*given: object) -> object:
            if first:
                self.reach(stage)
            result = call(*given)
            if not first:
                self.reach(stage)
            return result

        return wrapped

    def reach(self, stage: str) -> None:
        with self.lock:
            number = self.reached[stage]
            self.reached[stage] += 1
            due = [fault for fault in self.faults if (fault.stage, fault.nth) == (stage, number)]
            for fault in due:
                self.do(fault)

    def do(self, fault: Fault) -> None:
        if fault.what == "stop":
            raise Stopped
        if fault.what == "fail":
            raise Hiccup
        if fault.what == "hold":
            # An editor holds the row until after the run, so that the run must not wait for it.
            editor = self.held.enter_context(self.database.transaction())
            editor.execute("SET LOCAL lock_timeout = '50ms'")
            try_to(editor, EDITS["edit"], self.key, fault.pick, fault.text)
        else:
            edit(self.database, self.key, fault.what, fault.pick, fault.text)


def edit(database: Database, key: PartitionKey, what: str, pick: int, text: str) -> None:
    """Edit on a connection of its own. If another transaction holds the row, nothing is done."""
    with database.transaction() as connection:
        connection.execute("SET LOCAL lock_timeout = '50ms'")
        try_to(connection, EDITS[what], key, pick, text)


def try_to(connection: Connection, statement: str, key: PartitionKey, pick: int, text: str) -> None:
    chosen = statement.replace("{chosen}", CHOSEN)
    parameters = {
        "pick": pick, "text": text, "market": key.market, "doc_type": key.doc_type, "stock_code": key.stock_code,
    }  # fmt: skip
    connection.execute("SAVEPOINT before")
    try:
        connection.execute(chosen, parameters)
    except psycopg.errors.LockNotAvailable:
        connection.execute("ROLLBACK TO SAVEPOINT before")


def check_report(database: Database, report: VectorizeReport, reports: list[BatchProgress]) -> None:
    """Check that the report of the run, the progress reports and the tables agree."""
    assert report.batches == len(reports) == (reports[-1].batch_num if reports else 0)
    assert [progress.batch_num for progress in reports] == list(range(1, len(reports) + 1))
    chunks = [chunk.chunk_id for progress in reports for chunk in progress.batch_chunks]
    assert len(chunks) == len(set(chunks)) == report.processed
    if reports:
        last = reports[-1]
        counts = (last.vectorized_count, last.superseded_count, last.failed_count)
        assert counts == (report.vectorized_count, report.superseded_count, report.failed_count)
    # Other programs may have deleted some of its vectors, but there are none that it did not count.
    ((stored,),) = rows(database, f"SELECT count(*) FROM {VECTORS} WHERE run_id = %s", report.run_id)
    assert stored <= report.vectorized_count
    ((failed,),) = rows(database, "SELECT count(*) FROM chunk_failures WHERE run_id = %s", report.run_id)
    assert failed <= report.failed_count


def check_undisturbed_run(database: Database, report: VectorizeReport) -> None:
    """Check that nothing is superseded and all counts are equal, because no other program wrote."""
    assert report.processed == report.total
    assert (report.superseded_count, report.callback_errors) == (0, 0)
    ((stored,),) = rows(database, f"SELECT count(*) FROM {VECTORS} WHERE run_id = %s", report.run_id)
    assert stored == report.vectorized_count
    ((failed,),) = rows(database, "SELECT count(*) FROM chunk_failures WHERE run_id = %s", report.run_id)
    assert failed == report.failed_count


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=6, max_size=12))
def test_whatever_happens_every_chunk_is_current_pending_or_quarantined(database: Database, steps: list[Step]) -> None:
    """A chunk has at most one vector, that of its text. After 30 sequences of 6 to 12 runs, good chunks are current."""
    SpaceRegistry(database).activate(SPACE)
    rows(database, "TRUNCATE documents CASCADE")
    for step in steps:
        store_chunks(database, step.texts, step.key, f"{step.document}.txt")
        for write in step.writes:
            edit(database, step.key, *write)
        run_and_check(database, step)

    finish(database)
    Quarantine(database).release(SPACE.slug, [KEY, OTHER])
    quarantined = set(finish(database).quarantined)

    texts = rows(database, "SELECT id, text FROM document_chunks")
    assert {id_ for id_, text in texts if text in BAD} == quarantined


def run_and_check(database: Database, step: Step) -> None:
    """Check the invariants before and after a run, and what the run reports."""
    before = check_invariants(database, SpoilingEmbedder())
    run = Run(database, step.key, step.faults, step.batch_size, step.at_once)
    report = run.of_ids(step.force) if step.by_id else run.of_partition(step.force, step.limit)
    after = check_invariants(database, SpoilingEmbedder())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vector-assets-")]
    if not any(fault.what == "fail" for fault in step.faults):
        new = set(after.quarantined) - set(before.quarantined)
        texts = rows(database, "SELECT text FROM document_chunks WHERE id = ANY(%s)", list(new))
        assert {text for (text,) in texts} <= set(BAD)
    if report is None:
        return
    check_report(database, report, run.reports)
    if not step.faults:
        check_undisturbed_run(database, report)
    if not step.faults and not step.force and not step.by_id:
        assert len(after.pending) == len(before.pending) - report.total


def finish(database: Database) -> Findings:
    """Run all partitions without faults, and check that nothing is pending."""
    for key in (KEY, OTHER):
        assert Run(database, key, [], 4, 2).of_partition(False, None) is not None
    findings = check_invariants(database, SpoilingEmbedder())
    assert findings.pending == []
    return findings
