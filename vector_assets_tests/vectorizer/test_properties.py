"""Random sequences of edits, faults, runs and changes of spaces. After each step the tables' invariants must hold.

Other programs write between and during the stages of a run: after chunks were queued or counted, after a window was
read, while a batch is tokenized or embedded, before and after its commit. Runs are also stopped, errors raised, and
spaces promoted or retired at these points. Spaces are added and dropped between the runs.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.domain.reports import VectorizeReport
from vector_assets.domain.spaces import LIVE, EmbeddingSpace, SpaceStatus, Vectors
from vector_assets.errors import (
    AnotherSpaceFills,
    EmbedderBroken,
    EmbedderBusy,
    SpaceNotFound,
    SpaceNotLive,
    SpaceRetired,
    SpaceServes,
)
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Connection, Database
from vector_assets.storage.quarantine import Quarantine
from vector_assets.storage.spaces import SpaceRegistry
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import Vectorizer

from ..embedding.remote.provider_server import serving
from ..embedding.remote.served_embedder import FACTORS, ServedEmbedder, spoiling
from ..fakes import KEY, SPACE, HashEmbedder, rows, store_chunks
from ..invariants import Findings, check_invariants

OTHER = PartitionKey("cn", "announcement", "999001")
# Of unlike dimensions, so that a vector in the wrong table is seen. A server embeds for the second one.
SPACES = [
    SPACE,
    replace(SPACE, model="other", dimension=12, provider="openai"),
    replace(SPACE, model="third", dimension=16),
]

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
            vectors[row] *= FACTORS.get(item.text, 1.0)
        return vectors[1:] if any(item.text == "SHORT" for item in texts) else vectors


# `{chosen}` is the id of one chunk, `{vectors}` the table of one space, and `{all}` are the tables of all spaces. No
# place may be taken twice, so new ones are drawn far beyond the others.
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
    "drop a vector": "DELETE FROM {vectors} WHERE chunk_id = {chosen}",
    "drop the vectors of a space": "TRUNCATE {vectors}",
    "drop all vectors": "TRUNCATE {all}",
    "free": "UPDATE pending_chunks SET next_attempt_at = now() WHERE attempts > 0",
}
CHOSEN = """
(SELECT id FROM document_chunks ORDER BY id
 OFFSET %(pick)s %% greatest((SELECT count(*) FROM document_chunks), 1) LIMIT 1)
"""


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One server for all examples."""
    with serving(spoiling) as provider:
        monkeypatch.setattr(Run, "server", provider.url, raising=False)
        yield


STAGES = ["queue", "count", "read", "tokenize", "embed", "commit", "callback"]


class Fault(NamedTuple):
    """What happens when a stage is reached for the nth time in a run, to the chunk `pick`, with the new `text`."""

    stage: str
    nth: int
    what: str
    pick: int
    text: str


class Step(NamedTuple):
    """Spaces are changed; a document is ingested, or ingested again; other programs write; then there is a run.

    The run is in one of the live spaces. Each change is a command and the space that it is about.
    """

    changes: list[tuple[str, EmbeddingSpace]]
    space: int
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
    what=st.sampled_from([*EDITS, "edit", "edit", "hold", "stop", "fail", "busy", "promote", "retire"]),
    pick=PICKS,
    text=TEXTS,
)
STEPS = st.builds(
    Step,
    changes=st.just([])
    | st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "add", "promote", "promote", "retire", "drop"]), st.sampled_from(SPACES)
        ),
        max_size=3,
    ),
    space=st.integers(0, 1),
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
    """A run of the loop in a live space, with faults at its stages. `reports` holds what the callback was given.

    `server` is the address of the server, if the space is one of a server.
    """

    server: str

    def __init__(
        self,
        database: Database,
        space: EmbeddingSpace,
        key: PartitionKey,
        faults: list[Fault],
        batch_size: int,
        at_once: int,
    ) -> None:
        self.database = database
        self.space = space
        self.key = key
        self.faults = faults
        self.reports: list[BatchProgress] = []
        self.reached = dict.fromkeys(STAGES, 0)
        self.lock = threading.Lock()
        self.held = ExitStack()
        embedder = SpoilingEmbedder(space) if not space.provider else ServedEmbedder(self.server, space)
        embedder.concurrency = at_once
        embedder.before = lambda _: self.reach("embed")
        embedder.tokenize = self.reaching("tokenize", embedder.tokenize)
        chunks, vectors = PostgresChunkStore(database, space.slug), PostgresVectorStore(database, space.slug)
        chunks.queue_again = self.reaching("queue", chunks.queue_again)
        chunks.count_pending = self.reaching("count", chunks.count_pending)
        chunks.read_window = self.reaching("read", chunks.read_window)
        vectors.commit_batch = self.reaching("commit", vectors.commit_batch, first=True)
        self.vectorizer = Vectorizer(chunks, vectors, embedder, batch_size)

    def of_partition(self, force: bool, limit: int | None) -> VectorizeReport | None:
        """Run the partition. Returns None if the run was stopped or ended by an error."""
        return self._run(lambda: self.vectorizer.vectorize_partition(self.key, force, self.on_progress, limit=limit))

    def of_ids(self, force: bool) -> VectorizeReport | None:
        """Run every second chunk, and one that does not exist."""
        ids = [row[0] for row in rows(self.database, "SELECT id FROM document_chunks ORDER BY id")][::2]
        return self._run(lambda: self.vectorizer.vectorize_chunks([*ids, uuid4()], force, self.on_progress))

    def _run(self, call: Callable[[], VectorizeReport]) -> VectorizeReport | None:
        with self.held:
            try:
                return call()
            except (Stopped, Hiccup, EmbedderBroken):  # broken: the hiccup met the text that no model fails on
                return None
            except SpaceNotLive:
                assert SpaceRegistry(self.database).status(self.space) == SpaceStatus.RETIRED
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
        if fault.what == "busy":
            if fault.stage in {"tokenize", "embed"}:
                raise EmbedderBusy(self.space.model, "429 Too Many Requests", 0.0)
        elif fault.what == "promote":
            change(self.database, "promote", SPACES[fault.pick % len(SPACES)])
        elif fault.what == "retire":
            # It waits for whoever writes chunks, and an editor that holds one waits for the end of the run.
            if not any(other.what == "hold" for other in self.faults):
                change(self.database, "retire", self.space)
        elif fault.what == "hold":
            # An editor holds the row until after the run, so that the run must not wait for it.
            editor = self.held.enter_context(self.database.transaction())
            editor.execute("SET LOCAL lock_timeout = '50ms'")
            try_to(editor, EDITS["edit"], self.key, fault.pick, fault.text)
        else:
            edit(self.database, self.key, fault.what, fault.pick, fault.text)


def statuses(database: Database) -> dict[str, SpaceStatus]:
    return {item.space.slug: item.status for item in SpaceRegistry(database).all()}


def change(database: Database, command: str, space: EmbeddingSpace) -> None:
    """Change a space, as far as its status and that of the others allow it; what they do not allow changes nothing."""
    before, registry = statuses(database), SpaceRegistry(database)
    status, others = before.get(space.slug), [before[slug] for slug in before if slug != space.slug]
    if command == "add":
        allowed = status in LIVE or SpaceStatus.FILLING not in others
        after = before if status in LIVE else before | {space.slug: SpaceStatus.FILLING}
    elif command == "promote":
        allowed = status in LIVE
        gives_way = {slug: SpaceStatus.FILLING for slug in before if before[slug] == SpaceStatus.SERVING}
        after = before | gives_way | {space.slug: SpaceStatus.SERVING}
    else:
        allowed = status in {SpaceStatus.FILLING, SpaceStatus.RETIRED}
        after = {slug: before[slug] for slug in before if slug != space.slug or command != "drop"}
        if command == "retire":
            after |= {space.slug: SpaceStatus.RETIRED}
    with nullcontext() if allowed else pytest.raises((AnotherSpaceFills, SpaceNotFound, SpaceRetired, SpaceServes)):
        getattr(registry, command)(space if command == "add" else space.slug)
    assert statuses(database) == (after if allowed else before)


def live_spaces(database: Database) -> list[EmbeddingSpace]:
    """The serving one first."""
    found = [item for item in SpaceRegistry(database).all() if item.status in LIVE]
    return [item.space for item in sorted(found, key=lambda item: item.status != SpaceStatus.SERVING)]


def check_live_spaces(database: Database) -> dict[str, Findings]:
    """Check the invariants in each live space."""
    return {space.slug: check_invariants(database, SpoilingEmbedder(space), space) for space in live_spaces(database)}


def edit(database: Database, key: PartitionKey, what: str, pick: int, text: str) -> None:
    """Edit on a connection of its own. If another transaction holds the row, nothing is done."""
    with database.transaction() as connection:
        connection.execute("SET LOCAL lock_timeout = '50ms'")
        try_to(connection, EDITS[what], key, pick, text)


def try_to(connection: Connection, statement: str, key: PartitionKey, pick: int, text: str) -> None:
    tables = [f"chunk_vectors_{slug}" for (slug,) in connection.execute("SELECT slug FROM embedding_spaces")]
    chosen = statement.replace("{chosen}", CHOSEN)
    chosen = chosen.replace("{vectors}", tables[pick % len(tables)]).replace("{all}", ", ".join(tables))
    parameters = {
        "pick": pick, "text": text, "market": key.market, "doc_type": key.doc_type, "stock_code": key.stock_code,
    }  # fmt: skip
    connection.execute("SAVEPOINT before")
    try:
        connection.execute(chosen, parameters)
    except psycopg.errors.LockNotAvailable:
        connection.execute("ROLLBACK TO SAVEPOINT before")


def check_report(
    database: Database, space: EmbeddingSpace, report: VectorizeReport, reports: list[BatchProgress]
) -> None:
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
    stored, failed = rows_of(database, space, report)
    assert stored <= report.vectorized_count
    assert failed <= report.failed_count


def rows_of(database: Database, space: EmbeddingSpace, report: VectorizeReport) -> tuple[int, int]:
    """Count the vectors and the failures that the run has in its space."""
    ((stored,),) = rows(database, f"SELECT count(*) FROM chunk_vectors_{space.slug} WHERE run_id = %s", report.run_id)
    failures = "SELECT count(*) FROM pending_chunks WHERE space = %s AND run_id = %s"
    ((failed,),) = rows(database, failures, space.slug, report.run_id)
    return stored, failed


def check_undisturbed_run(database: Database, space: EmbeddingSpace, report: VectorizeReport) -> None:
    """Check that nothing is superseded and all counts are equal, because no other program wrote."""
    assert report.processed == report.total
    assert (report.superseded_count, report.callback_errors) == (0, 0)
    assert rows_of(database, space, report) == (report.vectorized_count, report.failed_count)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=6, max_size=12))
def test_whatever_happens_every_chunk_is_current_pending_or_quarantined(database: Database, steps: list[Step]) -> None:
    """In each live space a chunk has at most one vector, that of its text.

    A chunk is quarantined after two runs in which it failed. What passes costs no attempt. After each of the sequences
    of 6 to 12 runs, good chunks are current in all live spaces.
    """
    begin(database)
    for step in steps:
        for command, space in step.changes:
            change(database, command, space)
        store_chunks(database, step.texts, step.key, f"{step.document}.txt")
        for write in step.writes:
            edit(database, step.key, *write)
        run_and_check(database, step)

    finish(database)
    for _ in range(2):
        for space in live_spaces(database):
            Quarantine(database).release(space.slug, [KEY, OTHER])
        found = finish(database)
    assert not any(findings.pending for findings in found.values())
    texts = rows(database, "SELECT id, text FROM document_chunks")
    for findings in found.values():
        assert {id_ for id_, text in texts if text in BAD} == set(findings.quarantined)


def begin(database: Database) -> None:
    """Empty all tables, and let the first space serve."""
    rows(database, "TRUNCATE documents CASCADE")
    for slug in statuses(database):
        rows(database, f"DROP TABLE chunk_vectors_{slug} CASCADE")  # and the view of what serves
    rows(database, "DELETE FROM embedding_spaces")
    SpaceRegistry(database).register_first(SPACE)


def run_and_check(database: Database, step: Step) -> None:
    """Check the invariants before and after a run, and what the run reports."""
    live = live_spaces(database)
    space = live[step.space % len(live)]
    before = check_live_spaces(database)[space.slug]
    run = Run(database, space, step.key, step.faults, step.batch_size, step.at_once)
    report = run.of_ids(step.force) if step.by_id else run.of_partition(step.force, step.limit)
    after = check_live_spaces(database).get(space.slug)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vector-assets-")]
    if after is not None and not any(fault.what == "fail" for fault in step.faults):
        new = {id_ for id_, attempts in after.failed.items() if attempts > before.failed.get(id_, 0)}
        texts = rows(database, "SELECT text FROM document_chunks WHERE id = ANY(%s)", list(new))
        assert {text for (text,) in texts} <= set(BAD)
        assert all(after.failed[id_] == before.failed.get(id_, 0) + 1 for id_ in new)
    if report is None:
        return
    check_report(database, space, report, run.reports)
    if step.faults:
        return
    check_undisturbed_run(database, space, report)
    if not step.by_id and not step.force:
        once = [id_ for id_, attempts in after.failed.items() if attempts == 1 and id_ not in before.failed]
        assert len(after.pending) == len(before.pending) - report.total + len(once)
    if not step.by_id and step.force:
        ((chunks,),) = rows(database, "SELECT count(*) FROM document_chunks WHERE market = %s", step.key.market)
        assert report.total == min(chunks, step.limit or chunks)


def finish(database: Database) -> dict[str, Findings]:
    """Run all partitions in all live spaces without faults, and check that only what failed once is pending."""
    for space in live_spaces(database):
        for key in (KEY, OTHER):
            assert Run(database, space, key, [], 4, 2).of_partition(False, None) is not None
    found = check_live_spaces(database)
    assert all(set(findings.pending) <= set(findings.failed) for findings in found.values())
    return found
