"""Connections to the product's database, and the one door at which driver errors become ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
import sqlalchemy.exc
from pgvector.psycopg import register_vector
from psycopg.rows import TupleRow
from sqlalchemy import URL, create_engine, event, make_url

from ..errors import DatabaseError, DatabaseFailed, DatabaseUnreachable, InvalidSetting
from .halfvecs import register_halfvecs

Connection = psycopg.Connection[TupleRow]
Cursor = psycopg.Cursor[TupleRow]

CONNECT_TIMEOUT_SECONDS = 10
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
        DatabaseFailed: the server refused a statement.
    """
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise _translated(url, error.orig) from error
    except psycopg.Error as error:
        raise _translated(url, error) from error


def _translated(url: URL, error: BaseException | None) -> DatabaseError:
    reason = " ".join(str(error).split())
    sqlstate = getattr(error, "sqlstate", None)
    # Class 08 is a broken connection and 57P0x a server going down; libpq reports failures to connect without a code.
    if isinstance(error, psycopg.OperationalError) and (sqlstate is None or sqlstate[:2] in {"08", "57", "28", "3D"}):
        return DatabaseUnreachable(printable_url(url), reason)
    return DatabaseFailed(reason, sqlstate)


class Database:
    """A small pool of connections to one database whose tables are in place (see `migrate`)."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._engine = create_engine(
            url,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "vector_assets"},
        )
        event.listen(self._engine, "connect", _register_pgvector)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with our_errors(self.url), self._engine.begin() as connection:
            yield cast(Connection, connection.connection.driver_connection)

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


def _register_pgvector(connection: Any, _record: object) -> None:
    register_vector(connection)
    register_halfvecs(connection)
    connection.commit()
