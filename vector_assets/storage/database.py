"""The product's database: transactions over pooled connections, done again while what stops them passes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Concatenate, LiteralString, ParamSpec, Protocol, TypeVar

import psycopg
from psycopg.errors import LockNotAvailable
from sqlalchemy import URL

from ..errors import DatabaseError, DatabaseUnreachable
from .connection_pool import RaisingPool
from .connections import Backend, Connection, Cursor, end_backend
from .driver_errors import translated_errors
from .lock_holders import locked
from .retries import Retries
from .sessions import DEFAULT_SCHEMA, LOCK_TIMEOUT, configure_session

__all__ = ["Connection", "Cursor", "Database", "repeatable"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


# A commit takes milliseconds. One that has not ended after half a second waits for a lock.
_GRACE_SECONDS, _LOOK_SECONDS = 0.5, 0.02
# A server that answers takes note of a cancellation within milliseconds.
_CANCEL_SECONDS = 2.0


class Database:
    """One database whose tables are up to date (see `migrate`). It opens its first connection when it is first used.

    Args:
        url: the database.
        retries: how long a failure that passes is waited for.
        reached: whether this process has reached the database already. A database that was never reached is not waited
            for: its address may be wrong, and whoever gave it should learn that at once.
        schema: the tables' schema.
        read_only: whether the server refuses to write in its transactions.
    """

    def __init__(
        self,
        url: URL,
        retries: Retries | None = None,
        reached: bool = False,
        schema: str = DEFAULT_SCHEMA,
        read_only: bool = False,
    ) -> None:
        self.url = url
        self.retries = retries or Retries()
        self._reached = reached
        self._lost: set[Backend] = set()
        self._in_use: set[Connection] = set()
        self._cancellations = 0
        self.schema = schema
        self.read_only = read_only
        self._pool = RaisingPool(url, schema, read_only)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run one transaction: it is committed when the block ends and rolled back when the block raises.

        Raises:
            DatabaseError: the database could not be reached, or it refused a statement.
        """
        with translated_errors(self.url), self._pool.connection() as connection:
            self._reached = True
            try:
                self._end_lost_backends(connection)
                if connection.backend is None:  # behind a pooler, the session may be another one in each transaction
                    configure_session(connection, self.schema, local=True, lock_timeout=LOCK_TIMEOUT)
                self._in_use.add(connection)
                yield connection
                connection.commit()
            except LockNotAvailable as error:
                connection.rollback()
                own = [used.info.backend_pid for used in tuple(self._in_use)]
                raise locked(connection, str(error), own) from error
            except BaseException:
                if connection.closed and connection.backend is not None:
                    self._lost.add(connection.backend)
                raise
            finally:
                self._in_use.discard(connection)

    def cancel(self) -> None:
        """End the transactions that are under way, in any thread, and do not do them again.

        Those that end by themselves within half a second are left to it.
        """
        self._cancellations += 1
        until = time.monotonic() + _GRACE_SECONDS
        while self._in_use and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        for connection in tuple(self._in_use):
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=_CANCEL_SECONDS)

    def _end_lost_backends(self, connection: Connection) -> None:
        """End the server processes of connections that broke, if they have not noticed it themselves.

        Such a process may hold rows, which a batch would pass over, or still commit what is about to be done again.
        """
        for backend in tuple(self._lost):
            end_backend(connection, backend)
            self._lost.discard(backend)

    def repeat(self, work: Callable[[], Result]) -> Result:
        """Do the work, and do it again while what stops it passes. The work must be whole transactions that may repeat.

        Raises:
            VectorAssetsError: the last error when the limit of `retries` is reached, or one that does not pass.
        """
        cancellations = self._cancellations
        return self.retries.call(work, lambda error: self._is_worth_repeating(error, cancellations))

    def _is_worth_repeating(self, error: BaseException, cancellations: int) -> bool:
        if not isinstance(error, DatabaseError) or not error.passes or cancellations != self._cancellations:
            return False
        return self._reached or not isinstance(error, DatabaseUnreachable)

    def server_version(self) -> str:
        """Ask for PostgreSQL's version, e.g. `18.4`."""
        return self._text("SELECT current_setting('server_version')")

    def pgvector_version(self) -> str:
        """Ask for pgvector's version, e.g. `0.8.5`."""
        return self._text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")

    def _text(self, query: LiteralString) -> str:
        with self.transaction() as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return str(row[0])

    def close(self) -> None:
        """Close all connections and end the pool's threads."""
        self._pool.close()


class _UsesDatabase(Protocol):
    """Any store."""

    _database: Database


Store = TypeVar("Store", bound=_UsesDatabase)


def repeatable(
    method: Callable[Concatenate[Store, Parameters], Result],
) -> Callable[Concatenate[Store, Parameters], Result]:
    """Mark a store's method as one that may be done twice; it is done again while what stops it passes.

    Such a method must not call another one: the waits would multiply.
    """

    @wraps(method)
    def repeated(self: Store, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return self._database.repeat(lambda: method(self, *args, **kwargs))

    return repeated
