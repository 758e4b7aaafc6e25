"""Connections to the product's database, and the one door at which driver errors become ours."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, LiteralString, NamedTuple, ParamSpec, Protocol, TypeVar, cast

import psycopg
import sqlalchemy.exc
from pgvector.psycopg import register_vector
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.pool import ConnectionPoolEntry

from ..errors import DatabaseError, DatabaseFailed, DatabaseFull, DatabaseStarting, DatabaseUnreachable, InvalidSetting
from .halfvec_arrays import register_halfvecs
from .retries import Retries

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

Connection = psycopg.Connection[TupleRow]
Cursor = psycopg.Cursor[TupleRow]

CONNECT_TIMEOUT_SECONDS = 10
# Unless the URL says otherwise. A peer that has gone silent is noticed within a minute; the operating system would take
# a quarter of an hour for what was sent, and two hours for what is waited for. Sockets of this machine ignore it.
_CONNECT_WITH = {
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "application_name": "vector_assets",
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 5,
    "tcp_user_timeout": 45_000,
}

# What the server's own code calls over as soon as others are done: serialization, deadlock, lock timeout, a statement
# canceled by time limit or by hand, no connection left. A full disk (53100) is none of them: nobody frees it meanwhile,
# and every further attempt writes more.
_PASSING = {"40001", "40P01", "55P03", "57014", "53300"}
# Connection lost (08), the server or an administrator ended it (57P), or it was idle for too long (25P03).
_LOST = ("08", "57P", "25P03")
# A server that refuses a role gives a sentence and, to those who connect, no code. In a server that speaks another
# language than English it is taken for one that cannot be reached, and told in its own words.
_REFUSAL = re.compile(r"authentication failed|does not exist|permission denied|no pg_hba\.conf entry|not permitted")

# Ours are never idle inside a transaction; one that is has lost its client, and would hold its rows for hours.
_INTRODUCE = """
SELECT a.pid, a.backend_start,
       CASE WHEN current_setting('idle_in_transaction_session_timeout') = '0'
            THEN set_config('idle_in_transaction_session_timeout', '60s', false) END
FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()
"""
_END_BACKEND = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
_DRIVERS = {"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"}
_PARAMETERS = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
"""What libpq takes after the question mark."""


def parse_url(text: str) -> URL:
    """Read a PostgreSQL URL, whatever driver it names; the product's driver (psycopg 3) is put in its place.

    Raises:
        InvalidSetting: it is no PostgreSQL URL, names no database, or has parameters that libpq does not know.
    """
    name = "VECTOR_ASSETS_DATABASE_URL"
    form = "Write it as postgresql://user:password@host:5432/database."
    try:
        url = make_url(text)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InvalidSetting(name, "not a URL", form) from None
    if url.drivername not in _DRIVERS:
        raise InvalidSetting(name, f"{url.drivername!r} is not PostgreSQL", form)
    if not url.database:
        raise InvalidSetting(name, "no database is named", form)
    if unknown := sorted(url.query.keys() - _PARAMETERS):
        mend = "Remove it; libpq's parameters, e.g. sslmode or host, may be given."
        raise InvalidSetting(name, f"PostgreSQL has no parameter {', '.join(unknown)}", mend)
    return url.set(drivername="postgresql+psycopg")


def printable_url(url: URL) -> str:
    """The URL without any password, for people to read: asterisks stand for one, where there is one."""
    query = {name: value for name, value in url.query.items() if name != "password"}
    password = url.password or None  # an empty one, as in user:@host, is none
    printable = URL.create("postgresql", url.username, password, url.host, url.port, url.database, query)
    return printable.render_as_string(hide_password=True)


@contextmanager
def our_errors(url: URL) -> Iterator[None]:
    """Translate driver errors raised inside into the error family.

    Raises:
        DatabaseUnreachable: no connection could be made, or it broke.
        DatabaseFull: the server's disk is full.
        DatabaseFailed: the server refused a statement.
    """
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise _translated(url, error.orig) from error
    except psycopg.Error as error:
        raise _translated(url, error) from error


def _translated(url: URL, error: BaseException | None) -> DatabaseError:
    reason = " ".join(str(error).split()).rstrip(".")
    sqlstate = getattr(error, "sqlstate", None)
    # libpq reports failures to connect, and connections that broke, without a code.
    if sqlstate is None and isinstance(error, psycopg.OperationalError):
        return DatabaseUnreachable(printable_url(url), reason, refused=bool(_REFUSAL.search(reason)))
    if sqlstate is not None and sqlstate.startswith(_LOST):
        return DatabaseUnreachable(printable_url(url), reason)
    if sqlstate == "53100":
        return DatabaseFull(reason)
    return DatabaseFailed(reason, sqlstate, passes=sqlstate in _PASSING)


def connect_alone(url: URL, retries: Retries | None = None, **settings: str) -> Connection:
    """An autocommit connection outside any pool. `settings` are libpq's, e.g. application_name.

    A server that is starting or recovering from a crash is waited for; one that is not there is not.

    Raises:
        psycopg.OperationalError: no connection could be made.
        DatabaseStarting: the server takes none, for longer than `retries` is willing to wait.
    """
    # Not as a string: SQLAlchemy writes a blank in a parameter as "+", which libpq leaves as it is.
    _, arguments = url.get_dialect()().create_connect_args(url)
    arguments = {**_defaults(url), **arguments, **settings}

    def connect() -> Connection:
        try:
            return psycopg.connect(**arguments, autocommit=True)
        except psycopg.errors.ConnectionTimeout:
            raise
        except psycopg.OperationalError as error:
            if _REFUSAL.search(str(error)) or not _is_starting(arguments):
                raise
            raise DatabaseStarting(printable_url(url), " ".join(str(error).split())) from error

    return (retries or Retries()).call(connect, lambda error: isinstance(error, DatabaseStarting))


def _is_starting(arguments: dict[str, Any]) -> bool:
    """Ask the server itself, for it says so in its own language to those who connect."""
    # Two seconds are the least that libpq knows, and no thread of this process moves meanwhile.
    brief = make_conninfo(**{**arguments, "connect_timeout": 2})
    return psycopg.pq.PGconn.ping(brief.encode()) == psycopg.pq.Ping.REJECT


def _defaults(url: URL) -> dict[str, Any]:
    return {name: value for name, value in _CONNECT_WITH.items() if name not in url.query}


def noticing_silence(url: URL) -> URL:
    """The URL as another program should be given it, so that it notices a silent server as soon as we do."""
    defaults = {name: str(value) for name, value in _defaults(url).items() if name != "application_name"}
    return url.update_query_dict(defaults)


class Backend(NamedTuple):
    """A server process: its number may be given to another one later."""

    pid: int
    started: datetime


def backend_of(connection: Connection) -> Backend | None:
    """What serves the connection. None behind a pooler, where that serves others too and must not be ended."""
    row = connection.execute(_INTRODUCE).fetchone()
    return Backend(row[0], row[1]) if row is not None and row[0] == connection.info.backend_pid else None


def end_backend(connection: Connection, backend: Backend) -> None:
    """End what serves a connection that is lost, unless it has noticed itself; waits until it is gone."""
    connection.execute(_END_BACKEND, backend)


class Database:
    """A small pool of connections to one database whose tables are in place (see `migrate`).

    Args:
        url: the database.
        retries: how long what passes is waited for.
        reached: whether this process has reached the database already. A database that was never reached is not waited
            for: its address may be wrong, and whoever gave it should not wait to hear so.
    """

    def __init__(self, url: URL, retries: Retries | None = None, reached: bool = False) -> None:
        self.url = url
        self.retries = retries or Retries()
        self._reached = reached
        self._lost: set[Backend] = set()
        self._engine = create_engine(url, pool_pre_ping=True, connect_args=_defaults(url))
        event.listen(self._engine, "connect", self._introduce)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with our_errors(self.url), self._engine.connect() as pooled:
            connection = cast(Connection, pooled.connection.driver_connection)
            try:
                self._end_lost(connection)
                yield connection
                connection.commit()
            except BaseException:
                if connection.closed:
                    self._lost.update(pooled.info.get("backends", ()))
                    pooled.invalidate()  # or a rollback that cannot be would hide what has happened
                raise

    def _end_lost(self, connection: Connection) -> None:
        """End what served connections that broke, if it has not noticed yet.

        It may hold rows, which a batch would pass over, or still commit what is about to be done again.
        """
        for backend in tuple(self._lost):
            end_backend(connection, backend)
            self._lost.discard(backend)

    def repeat(self, work: Callable[[], Result]) -> Result:
        """Do the work, and do it again while what stops it passes. It is whole transactions, good to be done twice.

        Raises:
            VectorAssetsError: the last one, when patience is at its end, or one that does not pass.
        """
        return self.retries.call(work, self._is_worth_repeating)

    def _is_worth_repeating(self, error: BaseException) -> bool:
        if not isinstance(error, DatabaseError) or not error.passes:
            return False
        return self._reached or not isinstance(error, DatabaseUnreachable)

    def _introduce(self, connection: Connection, record: ConnectionPoolEntry) -> None:
        """Every new connection learns about vectors, and who serves it."""
        register_vector(connection)
        register_halfvecs(connection)
        if backend := backend_of(connection):
            record.info["backends"] = [backend]
        connection.commit()
        self._reached = True

    def server_version(self) -> str:
        """e.g. `18.4`."""
        return self._text("SELECT current_setting('server_version')")

    def pgvector_version(self) -> str:
        """e.g. `0.8.5`."""
        return self._text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")

    def _text(self, query: LiteralString) -> str:
        with self.transaction() as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return str(row[0])

    def close(self) -> None:
        """Give all connections back to the server."""
        self._engine.dispose()


class _OverDatabase(Protocol):
    """Any store."""

    _database: Database


Store = TypeVar("Store", bound=_OverDatabase)


def repeatable(
    method: Callable[Concatenate[Store, Parameters], Result],
) -> Callable[Concatenate[Store, Parameters], Result]:
    """Mark a store's method as good to be done twice; it is done again while what stops it passes.

    Not for one that calls another of these: the waits would multiply.
    """

    @wraps(method)
    def repeated(self: Store, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return self._database.repeat(lambda: method(self, *args, **kwargs))

    return repeated
