"""The index of a space: built, checked, used, renewed and dropped, on the real server."""

import logging
from collections.abc import Callable

import pytest
from pgvector import HalfVector

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.questions import Question
from vector_assets.domain.search import ChunkFilter
from vector_assets.domain.spaces import EmbeddingSpace
from vector_assets.errors import DatabaseUnreachable, IndexBuildRunning, IndexWouldSpill, PgvectorUnsafe
from vector_assets.index_upkeep import IndexLimits, IndexOptions, IndexUpkeep
from vector_assets.storage.database import Database
from vector_assets.storage.index_builds import IndexBuilds
from vector_assets.storage.nearest_vectors import INDEX_SETTINGS, NearestVectors
from vector_assets.storage.recall_samples import RecallSamples
from vector_assets.storage.vector_indexes import VectorIndexes
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vector_index.build_progress import BuildPhase, BuildProgress
from vector_assets.vector_index.decision import IndexStep, VectorIndex
from vector_assets.vector_index.forecast import forecast_build
from vector_assets.vector_index.graph import LARGE

from .fakes import KEY, SPACE, HashEmbedder, make_live, make_vectorizer, rows, store_chunks, vector_of
from .storage.servers import connect
from .stores import PostgresStores

HK = PartitionKey("hk", "announcement", "00700")
FROM = 100
LIMITS = IndexLimits(FROM, 1 << 30, 0.97, sampled=6)
NEVER_GOOD_ENOUGH = IndexLimits(FROM, 1 << 30, 1.1, sampled=2)


class Listener:
    """Keeps what it hears, and may act when a build shows its progress."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.heard: list[BuildProgress] = []
        self.act: Callable[[], object] = lambda: None

    def notice(self, line: str) -> None:
        pass

    def warning(self, line: str) -> None:
        self.warnings.append(line)

    def progress(self, progress: BuildProgress) -> None:
        self.heard.append(progress)
        self.act()


def upkeep_of(database: Database, limits: IndexLimits = LIMITS) -> IndexUpkeep:
    samples = RecallSamples(database, limits.from_vectors)
    return IndexUpkeep(VectorIndexes(database), IndexBuilds(database), samples, HashEmbedder, limits)


def indexes(database: Database) -> tuple[VectorIndex, ...]:
    return VectorIndexes(database).state(SPACE.slug).indexes


@pytest.fixture
def filled(database: Database) -> Database:
    """Two markets, one of them with few vectors."""
    store_chunks(database, [f"chunk {number}" for number in range(300)])
    store_chunks(database, [f"第{number}段" for number in range(20)], HK)
    vectorizer = make_vectorizer(database, HashEmbedder(), batch_size=150)
    for key in (KEY, HK):
        vectorizer.vectorize_partition(key)
    return database


def test_an_index_is_built_checked_used_and_renewed(filled: Database) -> None:
    """Each market and each width of filter is measured; the former index goes after the new one has passed."""
    upkeep, listener = upkeep_of(filled), Listener()
    plan = upkeep.plan(SPACE)
    assert (plan.step, plan.state.vectors, plan.state.indexes) == (IndexStep.BUILD, 320, ())

    options = IndexOptions(questions=[Question("chunk 7", frozenset({f"{KEY}/a.txt"}))])
    report = upkeep.keep(SPACE, options, listener)

    assert report.passed
    assert report.recall is not None
    measured = {(row.market, row.width): row for row in report.recall.report.rows}
    assert {market for market, _ in measured} == {"us", "hk", "questions"}
    assert measured["us", "market"].by_index
    assert not measured["hk", "market"].by_index  # 20 vectors are compared each
    assert all(row.recall >= 0.97 and row.missing == 0 for row in measured.values())
    assert (listener.heard[-1].phase, listener.heard[-1].percent) == (BuildPhase.DONE, 100)
    assert [(index.generation, index.ef_search) for index in indexes(filled)] == [(1, report.recall.chosen)]
    assert upkeep.plan(SPACE).step is IndexStep.CHECK

    renewed = upkeep.keep(SPACE, IndexOptions(rebuild=True), listener)

    assert renewed.dropped == (1,)
    assert [(index.generation, index.ef_search is not None) for index in indexes(filled)] == [(2, True)]
    assert listener.warnings == []


def test_a_build_makes_the_graph_of_its_forecast(filled: Database) -> None:
    """One of many vectors has more links than the usual one."""
    forecast = forecast_build(1_000_000, SPACE.dimension, 64 << 20)
    with IndexBuilds(filled).held(SPACE.slug) as session:
        for _ in session.create(1, forecast):
            pass

    made = rows(filled, f"SELECT reloptions FROM pg_class WHERE relname = 'chunk_vectors_{SPACE.slug}_hnsw_1'")
    assert made == [([f"m={LARGE.links}", f"ef_construction={LARGE.candidates}"],)]


FILTERS = {
    ChunkFilter(): 300,
    ChunkFilter(("us",)): 300,
    ChunkFilter(("hk", "cn")): 20,
    ChunkFilter(doc_types=("announcement",)): 20,
    ChunkFilter(stock_codes=("00700",), periods=("2024",)): 20,
    ChunkFilter(partitions=(HK,), chunks=20): 20,
    ChunkFilter(languages=("en",)): 300,
    ChunkFilter(periods=("1999",)): 0,
}
"""Filters, and how many vectors each leaves at least."""


def test_a_search_by_the_index_finds_what_an_exact_one_finds(filled: Database) -> None:
    """Whatever the filter, as many hits as there are, and none whose text has changed since."""
    upkeep_of(filled).keep(SPACE, IndexOptions(), Listener())
    PostgresStores(filled).edit("chunk 7", "edited")
    by_index = PostgresVectorStore(filled, SPACE.slug, index_from=1)
    exact = PostgresVectorStore(filled, SPACE.slug, index_from=10_000)

    for where, left in FILTERS.items():
        for limit in (3, 30):
            wanted = [hit.text for hit in exact.nearest(vector_of("chunk 7"), where, limit)]
            assert [hit.text for hit in by_index.nearest(vector_of("chunk 7"), where, limit)] == wanted, where
            assert "edited" not in wanted
            assert len(wanted) == min(limit, left)


# How often this session has read the first index, since its counts were last passed on.
_SCANS = f"SELECT pg_stat_get_xact_numscans('chunk_vectors_{SPACE.slug}_hnsw_1'::regclass)"


@pytest.mark.parametrize(
    ("given", "where", "scans"),
    [
        ("", ChunkFilter(), 1),
        (", '{us}'", ChunkFilter(("us",)), 1),
        (", in_periods => '{2024}'", ChunkFilter(periods=("2024",)), 1),
        (", '{hk}'", ChunkFilter(("hk",)), 0),
    ],
)
def test_sql_reads_the_index_where_searches_do(filled: Database, given: str, where: ChunkFilter, scans: int) -> None:
    """The function finds what a search finds, and leaves the settings of its transaction as they were."""
    upkeep_of(filled).keep(SPACE, IndexOptions(), Listener())
    wanted = PostgresVectorStore(filled, SPACE.slug, FROM).nearest(vector_of("chunk 7"), where, 20)

    with filled.transaction() as connection:
        connection.execute("SELECT set_config('hnsw.ef_search', '77', true)")
        (before,) = connection.execute(_SCANS).fetchone() or (0,)
        call = f"SELECT text FROM search_filings(%s, '{{}}', 20{given})"
        found = connection.execute(call, [HalfVector(vector_of("chunk 7"))]).fetchall()
        after = connection.execute(f"{_SCANS}, current_setting('hnsw.ef_search')").fetchone()

    assert [text for (text,) in found] == [hit.text for hit in wanted]
    assert after == (before + scans, "77")


def was_by_index(database: Database) -> bool:
    """Whether a search without a filter reads an index."""
    with database.transaction() as connection:
        return NearestVectors(SPACE.slug, FROM).find(connection, vector_of("a"), ChunkFilter(), 3).by_index


def test_an_index_below_the_limit_is_not_used(filled: Database) -> None:
    """It is built again; if that is no better, searches compare with every vector, and the result says what to do."""
    upkeep_of(filled).keep(SPACE, IndexOptions(), Listener())
    assert was_by_index(filled)

    report = upkeep_of(filled, NEVER_GOOD_ENOUGH).keep(SPACE, IndexOptions(), Listener())

    assert not report.passed
    assert report.used is None
    assert report.build_seconds is not None
    assert "Searches do not use the index" in report.line()
    assert not was_by_index(filled)
    again = upkeep_of(filled, NEVER_GOOD_ENOUGH).keep(SPACE, IndexOptions(), Listener())
    assert again.build_seconds is None  # not every night
    assert len(indexes(filled)) == 1


def test_few_vectors_need_no_index(filled: Database) -> None:
    """Nor does a space without vectors, or one that is being filled."""
    many = IndexLimits(1000, 1 << 30, 0.97)

    assert upkeep_of(filled, many).keep(SPACE, IndexOptions(), Listener()).plan.step is IndexStep.NO_INDEX
    other = EmbeddingSpace("other", "1", "mean", "", "", 8, 64, "digest")
    make_live(filled, other)
    assert upkeep_of(filled).keep(other, IndexOptions(), Listener()).plan.step is IndexStep.NO_INDEX
    assert indexes(filled) == ()


# Of the session that builds.
_BUILDER = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'vector_assets index %'"
_WRITE = f"UPDATE chunk_vectors_{SPACE.slug} SET run_id = run_id WHERE chunk_id IS NULL"


def test_a_build_that_is_killed_leaves_nothing_for_long(filled: Database) -> None:
    """Its server process ends in the middle: what it leaves is not used, and dropped before the next build."""
    listener = Listener()
    with connect(filled.url) as writer, connect(filled.url) as admin:
        with writer.transaction():
            writer.execute(_WRITE)  # the build waits for its end
            listener.act = lambda: admin.execute(_BUILDER)
            with pytest.raises(DatabaseUnreachable):
                upkeep_of(filled).keep(SPACE, IndexOptions(), listener)
        assert [index.is_valid for index in indexes(filled)] == [False]
        assert listener.heard[0].phase is BuildPhase.WAITING
        assert not was_by_index(filled)

        again = Listener()
        report = upkeep_of(filled).keep(SPACE, IndexOptions(), again)

    assert report.passed
    assert "index 1 was left by a build that did not end" in again.warnings[0]
    assert [index.is_valid for index in indexes(filled)] == [True]


def test_a_build_that_is_interrupted_leaves_nothing(filled: Database) -> None:
    """As by Ctrl-C, or by Dagster when a run is canceled."""
    listener = Listener()
    with connect(filled.url) as writer:
        writer.execute("BEGIN")
        writer.execute(_WRITE)

        def interrupt() -> None:
            writer.execute("ROLLBACK")
            raise KeyboardInterrupt

        listener.act = interrupt
        with pytest.raises(KeyboardInterrupt):
            upkeep_of(filled).keep(SPACE, IndexOptions(), listener)

    assert indexes(filled) == ()


def test_one_process_builds_at_a_time(filled: Database) -> None:
    """The second one learns who is at it."""
    with (
        IndexBuilds(filled).held(SPACE.slug),
        pytest.raises(IndexBuildRunning, match=f"vector_assets index {SPACE.slug}"),
    ):
        upkeep_of(filled).keep(SPACE, IndexOptions(), Listener())


def test_a_build_that_would_spill_is_refused_unless_somebody_wants_it(filled: Database) -> None:
    """When it spills, a warning says so before it ends; the index is as good."""
    store_chunks(filled, [f"more {number}" for number in range(2500)], KEY, "b.txt")
    rows(
        filled,
        f"INSERT INTO chunk_vectors_{SPACE.slug} SELECT c.id, c.market, c.doc_type, c.stock_code, c.content_hash, "
        "ARRAY(SELECT random() - 0.5 + 0 * length(c.text) FROM generate_series(1, 8))::halfvec, 1, 1, 'r' "
        "FROM document_chunks c WHERE text LIKE 'more%'",
    )
    limits, listener = IndexLimits(FROM, 1 << 20, 0.9, sampled=4), Listener()
    with pytest.raises(IndexWouldSpill):
        upkeep_of(filled, limits).keep(SPACE, IndexOptions(), listener)
    assert indexes(filled) == ()

    report = upkeep_of(filled, limits).keep(SPACE, IndexOptions(may_spill=True), listener)

    assert report.passed
    assert len(listener.warnings) == 1
    assert "no longer fits" in listener.warnings[0]


@pytest.mark.parametrize(("version", "refused"), [("0.8.1", True), ("0.8.3", False)])
def test_an_old_pgvector_builds_no_index(filled: Database, version: str, refused: bool) -> None:
    """Below 0.8.2 never, below 0.8.4 with a warning."""
    rows(filled, "UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", version)
    listener = Listener()

    if refused:
        with pytest.raises(PgvectorUnsafe):
            upkeep_of(filled).keep(SPACE, IndexOptions(), listener)
        assert indexes(filled) == ()
    else:
        assert upkeep_of(filled).keep(SPACE, IndexOptions(), listener).passed
        assert version in listener.warnings[0]


def test_settings_that_the_server_refuses_cost_the_index_and_no_answer(
    filled: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each vector is compared, and a line says why."""
    upkeep_of(filled).keep(SPACE, IndexOptions(), Listener())
    wanted = PostgresVectorStore(filled, SPACE.slug, FROM).nearest(vector_of("chunk 7"), ChunkFilter(), 5)
    monkeypatch.setitem(INDEX_SETTINGS, "hnsw.iterative_scan", "backwards")

    with caplog.at_level(logging.WARNING):
        hits = PostgresVectorStore(filled, SPACE.slug, FROM).nearest(vector_of("chunk 7"), ChunkFilter(), 5)

    assert hits == wanted
    assert "refuses a setting" in caplog.text
