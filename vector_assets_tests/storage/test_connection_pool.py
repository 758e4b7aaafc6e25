"""Pooled connections: opened when needed, checked before use, closed without a trace, their failures raised."""

import logging
import threading
from collections.abc import Iterator

import psycopg
import psycopg_pool
import pytest
from sqlalchemy import URL

from vector_assets.errors import DatabaseFailed, DatabaseUnreachable
from vector_assets.storage import connection_pool
from vector_assets.storage.connection_pool import POOL_NAME, RaisingPool
from vector_assets.storage.database import Database

from ..fakes import rows
from .servers import connect

_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
)
NOWHERE = URL.create("postgresql+psycopg", "me", None, "127.0.0.1", 1, "db")


@pytest.fixture
def admin(database_url: URL) -> Iterator[psycopg.Connection]:
    """Another client of the same database."""
    with connect(database_url) as admin:
        yield admin


def pool_threads() -> list[str]:
    """The names of the pool's threads that run now."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(POOL_NAME)]


def sessions(admin: psycopg.Connection) -> int:
    """Count the other sessions in the database; one that was closed may take a moment to go."""
    return admin.execute(_SESSIONS).fetchone()[0]


def test_nothing_is_opened_before_it_is_needed(database_url: URL, admin: psycopg.Connection) -> None:
    """Neither a connection nor a thread."""
    before = pool_threads()

    Database(database_url)

    assert pool_threads() == before
    assert sessions(admin) == 0


def test_nothing_is_left_after_close(database_url: URL, admin: psycopg.Connection) -> None:
    """No thread and no session; the next use opens the pool again."""
    database = Database(database_url)
    before = pool_threads()
    with database.transaction(), database.transaction():
        assert sessions(admin) == 2

    database.close()

    assert pool_threads() == before
    while sessions(admin):  # until the server has noticed
        pass
    assert rows(database, "SELECT 1") == [(1,)]
    database.close()


def test_a_connection_is_checked_before_it_is_lent(database: Database, admin: psycopg.Connection) -> None:
    """Those that the server ended meanwhile are replaced, and nobody notices."""
    with database.transaction(), database.transaction(), database.transaction():
        pass
    admin.execute(_END_OTHERS, (database.url.database,))

    assert rows(database, "SELECT 1") == [(1,)]


def test_the_application_and_the_limit_of_idle_transactions_are_set(database: Database) -> None:
    """An administrator sees whose session it is; one that lost its client ends by itself."""
    query = "SELECT current_setting('application_name'), current_setting('idle_in_transaction_session_timeout')"

    assert rows(database, query) == [("vector_assets", "1min")]


def test_a_failure_to_connect_is_raised_to_whoever_waits(caplog: pytest.LogCaptureFixture) -> None:
    """With its reason, and without the library's own lines in the log."""
    database = Database(NOWHERE)

    with caplog.at_level(logging.INFO), pytest.raises(DatabaseUnreachable, match="Connection refused"):
        rows(database, "SELECT 1")

    database.close()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_other_pools_of_the_process_keep_their_log(caplog: pytest.LogCaptureFixture) -> None:
    """A Dagster project that this one is mounted in may use psycopg_pool too."""
    url = "postgresql://127.0.0.1:1/db"

    with (
        psycopg_pool.ConnectionPool(url, min_size=1, open=True, reconnect_timeout=0) as pool,
        pytest.raises(psycopg_pool.PoolTimeout),
    ):
        pool.getconn(timeout=0.5)

    assert any("error connecting" in record.getMessage() for record in caplog.records)


def test_waiting_for_a_free_connection_has_an_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that keeps its connection costs the others an error that says so, and that passes."""
    monkeypatch.setattr(connection_pool, "_MOST_CONNECTIONS", 1)

    with database.transaction():
        monkeypatch.setattr(connection_pool, "_MOST_LOOKS", 2)  # the first connection may have taken longer
        with pytest.raises(DatabaseFailed, match="all 1 connections") as caught:
            rows(database, "SELECT 1")

    assert caught.value.passes


def test_a_transaction_that_fails_is_rolled_back_and_its_connection_kept(database: Database) -> None:
    """The pool's next transaction begins anew, on the same session."""
    process = rows(database, "SELECT pg_backend_pid()")

    with pytest.raises(DatabaseFailed, match="22012"):
        rows(database, "CREATE TABLE never_committed (); SELECT 1 / 0")

    assert rows(database, "SELECT to_regclass('never_committed'), pg_backend_pid()") == [(None, *process[0])]


def test_the_pool_passes_an_error_of_the_preparation_on(server_url: URL) -> None:
    """A database without pgvector is such an error: it must not look like a server that is away."""
    pool = RaisingPool(server_url.set(database="postgres"))

    with pytest.raises(psycopg.ProgrammingError, match="vector"), pool.connection():
        pass

    pool.close()
