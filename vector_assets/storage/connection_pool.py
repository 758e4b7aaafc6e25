"""Connections that are kept between transactions, by psycopg_pool.

The library connects in threads of its own, where a failure is logged and tried again; whoever waits for the connection
would only run into a time limit. Here the failure is raised to the thread that waits, and `Retries` decides whether
there is another attempt.
"""

import logging
import math
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from pgvector.psycopg import register_vector
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout
from sqlalchemy import URL

from .binary_arrays import register_arrays
from .connections import Backend, backend_of, environment_for
from .database_url import connection_arguments
from .sessions import DEFAULT_SCHEMA, LOCK_TIMEOUT, configure_session

# Begins the names of the pool's threads.
POOL_NAME = "vector_assets pool"

# More than a process has threads at work on the database: a run has nine.
_MOST_CONNECTIONS = 15
# A waiting thread looks this often whether the attempt to connect has failed. Twenty looks a second cost nothing, and
# a failure is noticed before anybody misses it.
_LOOK_SECONDS = 0.05
# With all connections in use for so long, a thread holds one that it does not give back.
_MOST_LOOKS = 1200
# A thread that is connecting to a silent server cannot be stopped. It ends by itself after the connect timeout.
_CLOSE_SECONDS = 2.0
# A connection that is used more often is not checked each time: a check is a third of the way of a commit.
_CHECK_SECONDS = 1.0


@dataclass(frozen=True)
class _FailedConnect:
    """An attempt to connect that failed, with the time (monotonic) at which it began."""

    began: float
    error: Exception


class PooledConnection(psycopg.Connection[TupleRow]):
    """A connection that knows vectors and the server process behind it."""

    backend: Backend | None = None
    worked_at = -math.inf
    """When it was last given back after a transaction that ended as it should (monotonic)."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect and prepare the connection; pass an error to `pool`, besides raising it."""
        pool: RaisingPool = kwargs.pop("pool")
        began = time.monotonic()
        try:
            with environment_for(pool.url):
                connection = super().connect(conninfo, **kwargs)
            _prepare(connection, pool.schema, pool.read_only)
            return connection
        except Exception as error:
            pool.failed = _FailedConnect(began, error)
            raise


def _prepare(connection: PooledConnection, schema: str, read_only: bool) -> None:
    """Without a commit, so that the only commits that a failure can meet are those of the product's work."""
    try:
        connection.autocommit = True
        configure_session(connection, schema, lock_timeout=LOCK_TIMEOUT)
        connection.backend = backend_of(connection)
        if connection.backend is None:  # a pooler may give each transaction to another process
            connection.prepare_threshold = None
        connection.autocommit = False
        connection.read_only = read_only or None
        with connection.transaction(force_rollback=True):  # types are only looked up
            configure_session(connection, schema, local=True, lock_timeout=LOCK_TIMEOUT)
            register_vector(connection)
            register_arrays(connection)
    except BaseException:
        connection.close()
        raise


def _check(connection: PooledConnection) -> None:
    """Ask the server whether the connection still works, unless it worked a moment ago and nothing was heard since.

    A server that ends a connection says so, or its system does. A network that broke without a sign since then is
    noticed in the transaction, as one that breaks during it.
    """
    if time.monotonic() - connection.worked_at > _CHECK_SECONDS or _was_sent_something(connection):
        ConnectionPool.check_connection(connection)


def _was_sent_something(connection: PooledConnection) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class RaisingPool:
    """A pool that opens connections when they are needed, and raises the error of one that cannot be opened.

    `failed` is the last attempt to connect that failed.
    """

    def __init__(self, url: URL, schema: str = DEFAULT_SCHEMA, read_only: bool = False) -> None:
        self.url = url
        self.schema = schema
        self.read_only = read_only
        self.failed: _FailedConnect | None = None
        self._arguments = {**connection_arguments(url), "pool": self}
        self._opening = threading.Lock()
        self._pool: ConnectionPool[PooledConnection] | None = None

    @contextmanager
    def connection(self) -> Iterator[PooledConnection]:
        """Lend a connection that has just been checked. A transaction that is still open afterwards is rolled back.

        Raises:
            psycopg.OperationalError: no connection could be made.
            PoolTimeout: none became free.
        """
        pool = self._opened()
        connection = self._wait_for(pool)
        try:
            yield connection
            connection.worked_at = time.monotonic()
        finally:
            pool.putconn(connection)

    def close(self) -> None:
        """Close the connections and end the threads. The next use opens the pool again."""
        with self._opening:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close(_CLOSE_SECONDS)

    def _opened(self) -> ConnectionPool[PooledConnection]:
        with self._opening:
            if self._pool is None:
                self._pool = ConnectionPool(
                    connection_class=PooledConnection,
                    kwargs=self._arguments,
                    name=POOL_NAME,
                    min_size=0,
                    max_size=_MOST_CONNECTIONS,
                    check=_check,
                    reconnect_timeout=0,
                    open=True,
                )
            return self._pool

    def _wait_for(self, pool: ConnectionPool[PooledConnection]) -> PooledConnection:
        began = time.monotonic()
        for _ in range(_MOST_LOOKS):
            try:
                return pool.getconn(_LOOK_SECONDS)
            except PoolTimeout:
                # An attempt that began before may have met a server that is back by now; the pool makes another.
                if self.failed is not None and self.failed.began >= began:
                    raise self.failed.error from None
        raise PoolTimeout(f"all {_MOST_CONNECTIONS} connections of this process were in use for a minute")


class _IsNotOfThisPool(logging.Filter):
    """Drops what psycopg_pool logs about this pool, whose errors are raised. Other pools in the process keep theirs."""

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        return not any(
            isinstance(item, PooledConnection) or (isinstance(item, str) and item.startswith(POOL_NAME))
            for item in arguments
        )


logging.getLogger("psycopg.pool").addFilter(_IsNotOfThisPool())
