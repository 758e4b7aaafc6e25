"""The database, or the way to it, fails in the middle of a run: the run waits and goes on, or the next one does."""

import logging
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from vector_assets.domain.run_results import RunResult
from vector_assets.storage import partition_locks as locks
from vector_assets.storage.embedded_server import leave_embedded_server
from vector_assets.storage.retries import Retries

from ..fakes import DIMENSION, FakeServices, rows
from ..storage.proxy import Proxy
from ..storage.servers import OwnServer, connect
from .conftest import empty_place
from .places import BATCH_SIZE, CHUNKS, SECONDS, VECTORS, Place, administrator, eventually, finish, once, program, run

_BATCH = 30
_NOW = timedelta(0)
# What every commit of a batch needs.
_HOLD = f"LOCK TABLE {VECTORS} IN SHARE MODE"
# Vectors by another program, of all chunks that have none. A commit that stores one of them waits for that program.
_STORE_BY_HAND = f"""
INSERT INTO {VECTORS} (chunk_id, market, doc_type, stock_code, content_hash, embedding,
                       token_count, tokens_embedded, run_id)
SELECT chunk_id, market, doc_type, stock_code, content_hash, array_fill(1, ARRAY[{DIMENSION}])::halfvec, 1, 1, 'by hand'
FROM pending_chunks
"""
# Commits of batches; the view has the beginning of a statement.
_WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = %s AND wait_event_type = 'Lock' AND query LIKE '%%WITH incoming AS%%'
"""
# All of a run's: those of its work, the one that holds its partition, and Dagster's.
_CUT_ALL = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = ANY(%s)
"""


@contextmanager
def when_told(words: str, act: Callable[[], object]) -> Iterator[list[str]]:
    """Do something as soon as a warning says these words, once; gives all that the storage warns of."""
    told: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            is_first = not any(words in line for line in told)
            told.append(record.getMessage())
            if is_first and words in told[-1]:
                act()

    logger, listener = logging.getLogger("vector_assets.storage"), Listener()
    logger.addHandler(listener)
    try:
        yield told
    finally:
        logger.removeHandler(listener)


@pytest.fixture
def _impatient_dagster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster waits for its storage too, for 12 seconds before it gives up an event; nothing is committed meanwhile."""
    monkeypatch.setattr("dagster_postgres.utils.calculate_delay", lambda **_: 0.01)


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServer]:
    """A server that the tests may stop."""
    with tempfile.TemporaryDirectory() as home:
        yield OwnServer(Path(home))
        leave_embedded_server(Path(home))


def over(proxy: Proxy, place: Place) -> Place:
    """The same place, at the other end of a network."""
    query = {"sslmode": "disable", "gssencmode": "disable"}
    return replace(place, url=place.url.set(host="127.0.0.1", port=proxy.port, query=query))


def waiting(place: Place) -> int:
    """A process of the server that commits a batch and waits for a lock."""
    found: list[int] = []
    with administrator(place.url) as admin:

        def look() -> bool:
            found.extend(row[0] for row in admin.execute(_WAITING, [place.url.database]))
            return bool(found)

        eventually(look)
    return found[0]


def check_it_went_on(services: FakeServices, result: RunResult) -> None:
    """As if nothing had been: each chunk was embedded once, and is counted once."""
    assert result.error is None
    assert (result.report.vectorized_count, result.report.superseded_count) == (CHUNKS, 0)
    assert len(services.embedder.embedded) == CHUNKS


@pytest.mark.usefixtures("_impatient_dagster")
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_server_is_restarted(
    mode: str, own: OwnServer, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row: the server is restarted in the middle of a run, by hand or by a crash, with Dagster's storage on it."""
    place = empty_place(own.url.set(database=f"stopped_{mode}"), tmp_path, landing, monkeypatch)
    place.fill()
    with place.services(retries=Retries(first_wait=0.01)) as services, when_told("attempt 3 in", own.start) as told:
        services.embedder.before = once(_BATCH, lambda: own.stop(mode))

        result = run(services)

        check_it_went_on(services, result)
    assert "cannot reach the database" in told[0]
    finish(place, pending=0, later=_NOW)


def test_a_connection_is_cut_in_the_middle_of_a_commit(place: Place) -> None:
    """Row: a connection is cut in the middle of a commit. The transaction is done again."""
    again = threading.Event()
    with place.services() as services, ThreadPoolExecutor(1) as pool, when_told("attempt 2 in", again.set) as told:

        def cut() -> None:
            with program(place) as user, administrator(place.url) as admin:
                user.execute(_HOLD)
                admin.execute("SELECT pg_terminate_backend(%s)", [waiting(place)])
                assert again.wait(SECONDS)

        cutting: list[Future[None]] = []
        services.embedder.before = once(_BATCH, lambda: cutting.append(pool.submit(cut)))

        result = run(services)

        cutting[0].result()
        check_it_went_on(services, result)
    assert "cannot reach the database" in told[0]
    finish(place, pending=0, later=_NOW)


def test_all_connections_are_cut_at_once_again_and_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: connections are cut. The run's, its lock's and Dagster's all at once, six times in one run."""
    monkeypatch.setattr(locks, "_BETWEEN_LOOKS_SECONDS", 0)
    ended: list[int] = []
    with place.services() as services, administrator(place.url) as admin:

        def cut_now_and_then(_: Sequence[str]) -> None:
            if len(services.embedder.embedded) % (10 * BATCH_SIZE) == 9 * BATCH_SIZE:
                databases = [place.url.database, f"{place.url.database}_dagster"]
                ended.append(len(admin.execute(_CUT_ALL, [databases]).fetchall()))

        services.embedder.before = cut_now_and_then

        result = run(services)

        check_it_went_on(services, result)
    assert len(ended) == CHUNKS // BATCH_SIZE // 10
    assert all(ended)
    finish(place, pending=0, later=_NOW)


@pytest.mark.usefixtures("_impatient_dagster")
def test_the_network_goes_dark_for_a_while(place: Place, proxy: Proxy) -> None:
    """Row: the network goes dark for a while. For Dagster's storage as well; the run goes on when it is back."""
    far = over(proxy, place).services(retries=Retries(first_wait=0.01))
    with far as services, when_told("attempt 3 in", proxy.light) as told:
        services.embedder.before = once(_BATCH, proxy.dark)

        result = run(services)

        check_it_went_on(services, result)
    assert "cannot reach the database" in told[0]
    finish(place, pending=0, later=_NOW)


def test_the_server_stays_away(place: Place, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: the server stays away longer than is waited for. One line says so, and the next run does the rest."""
    monkeypatch.setattr("vector_assets.defs.step_failures._PAUSE_SECONDS", 0.01)
    with place.services() as services:  # Dagster's storage can be reached all the while
        url = services.dagster_url.render_as_string(hide_password=False)
    monkeypatch.setenv("VECTOR_ASSETS_DAGSTER_DATABASE_URL", url)
    with over(proxy, place).services(retries=Retries(seconds=0.05, first_wait=0.01)) as services:
        services.embedder.before = once(_BATCH, proxy.dark)

        result = run(services)

    assert result.error is not None
    assert result.error.startswith("cannot reach the database")
    assert "\n" not in result.error
    place.check_nothing_left()
    found = finish(place)
    assert (_BATCH - 10) * BATCH_SIZE <= len(found.current) <= _BATCH * BATCH_SIZE
    assert len(found.current) % BATCH_SIZE == 0
    assert len(found.pending) == CHUNKS - len(found.current)


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_a_time_limit_strikes(limit: str, place: Place) -> None:
    """Row: `statement_timeout` or `lock_timeout` strikes in the middle. The transaction is done again."""
    with (
        program(place) as user,
        place.services() as services,
        administrator(place.url) as admin,
        when_told("attempt 2 in", user.rollback) as told,
    ):
        admin.execute(f"ALTER DATABASE {place.url.database} SET {limit} = '300ms'")
        services.embedder.before = once(_BATCH, lambda: user.execute(_HOLD))

        result = run(services)

        check_it_went_on(services, result)
        admin.execute(f"ALTER DATABASE {place.url.database} RESET {limit}")
        named = {"statement_timeout": "57014", "lock_timeout": f"server process {user.info.backend_pid} "}[limit]
    assert named in told[0]
    finish(place, pending=0, later=_NOW)


def test_a_deadlock_with_another_program(place: Place) -> None:
    """Row: a deadlock in the middle. The commit holds rows of the queue and waits for a vector, the other the reverse.

    It is done again, and its vectors replace those that the other program stored.
    """
    locking: list[Future[None]] = []
    with (
        place.services() as services,
        administrator(place.url) as admin,
        connect(place.url) as user,
        ThreadPoolExecutor(1) as pool,
        when_told("attempt 2 in", lambda: wait(locking, SECONDS)) as told,
    ):
        # Whoever looks first is the victim; let it be the commit, and late enough that there is something to see.
        admin.execute(f"ALTER DATABASE {place.url.database} SET deadlock_timeout = '2s'")
        user.execute("SET deadlock_timeout = '1min'")

        def lock_the_other_way_round() -> None:
            with user.transaction():
                user.execute(_STORE_BY_HAND)
                begun.set()
                waiting(place)
                user.execute("UPDATE pending_chunks SET attempts = attempts")

        def before(_: Sequence[str]) -> None:
            embedded = len(services.embedder.embedded)
            if embedded == _BATCH * BATCH_SIZE:
                eventually(lambda: rows(services.database, f"SELECT count(*) FROM {VECTORS}") == [(embedded,)])
                locking.append(pool.submit(lock_the_other_way_round))
                assert begun.wait(SECONDS)
            elif embedded == (_BATCH + 1) * BATCH_SIZE:
                wait(locking, SECONDS)  # with two commits in it, the server may find the other program first

        begun = threading.Event()
        services.embedder.before = before

        result = run(services)

        locking[0].result()
        check_it_went_on(services, result)
        assert rows(services.database, f"SELECT count(*) FROM {VECTORS} WHERE run_id = 'by hand'") == [(0,)]
    assert "40P01" in told[0]
    finish(place, pending=0, later=_NOW)
