"""Single connections to PostgreSQL, and the server processes (backends) that serve them."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from sqlalchemy import URL

from ..errors import DatabaseStarting
from .database_url import connection_arguments, is_embedded, printable_url, setting_of
from .driver_errors import is_refusal
from .libpq_environment import without_service
from .retries import Retries
from .sessions import DEFAULT_SCHEMA, configure_session

Connection = psycopg.Connection[TupleRow]
Cursor = psycopg.Cursor[TupleRow]

# Which process serves this connection. It also limits how long the session may be idle inside a transaction: the
# product's sessions never are, so one that is has lost its client and would hold its rows for hours.
_BACKEND = """
SELECT a.pid, a.backend_start,
       CASE WHEN current_setting('idle_in_transaction_session_timeout') = '0'
            THEN set_config('idle_in_transaction_session_timeout', '60s', false) END
FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()
"""
# Ends a server process and waits for up to five seconds until it is gone. A process number may be given out again,
# so the start time is compared too.
_END_BACKEND = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"


def open_connection(
    url: URL, retries: Retries | None = None, schema: str = DEFAULT_SCHEMA, **settings: str
) -> Connection:
    """Open an autocommit connection outside any pool. `settings` are libpq's, e.g. application_name.

    A server that is starting or recovering from a crash is waited for; one that is not there is not.

    Raises:
        psycopg.OperationalError: no connection could be made.
        DatabaseStarting: the server accepts none, for longer than `retries` is willing to wait.
    """
    arguments = {**connection_arguments(url), **settings}

    def connect() -> Connection:
        try:
            with environment_for(url):
                connection = psycopg.connect(**arguments, autocommit=True)
        except psycopg.errors.ConnectionTimeout:
            raise
        except psycopg.OperationalError as error:
            if is_refusal(error) or not _is_starting(arguments):
                raise
            reason = " ".join(str(error).split())
            raise DatabaseStarting(printable_url(url), reason, setting=setting_of(url)) from error
        configure_session(connection, schema)
        return connection

    return (retries or Retries()).call(connect, lambda error: isinstance(error, DatabaseStarting))


def environment_for(url: URL) -> AbstractContextManager[None]:
    """Hide from libpq, while it connects, what would keep it from the embedded server."""
    return without_service() if is_embedded(url) else nullcontext()


def _is_starting(arguments: dict[str, Any]) -> bool:
    """Ask the server itself, because those who connect get its answer in the server's language."""
    # Two seconds are the least that libpq knows, and no thread of this process moves meanwhile.
    brief = make_conninfo(**{**arguments, "connect_timeout": 2})
    return psycopg.pq.PGconn.ping(brief.encode()) == psycopg.pq.Ping.REJECT


class Backend(NamedTuple):
    """A server process: its number may be given to another one later."""

    pid: int
    started: datetime


def backend_of(connection: Connection) -> Backend | None:
    """Find the process that serves the connection, and limit how long its transactions may be idle.

    None behind a pooler: there the process serves other clients too and must not be ended.
    """
    row = connection.execute(_BACKEND).fetchone()
    return Backend(row[0], row[1]) if row is not None and row[0] == connection.info.backend_pid else None


def end_backend(connection: Connection, backend: Backend) -> None:
    """End the process of a connection that was lost, if it still lives, and wait until it is gone."""
    connection.execute(_END_BACKEND, backend)
