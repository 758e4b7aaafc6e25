"""Creates the database that a URL names, unless it is there. Several processes may do it at once."""

import psycopg
from psycopg import sql
from sqlalchemy import URL

from ..errors import DATABASE_URL, DatabaseNotCreated, NothingStoredYet
from .connections import Connection, open_connection
from .database_url import printable_url, setting_of
from .driver_errors import translated_errors
from .retries import Retries

# Where the server's own encoding cannot hold every text, a database gets another one than the server's databases.
_HOLDS_ALL_TEXT = "SELECT encoding = pg_char_to_encoding('UTF8') FROM pg_database WHERE datname = 'template1'"
_IN_UTF8 = sql.SQL(" ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")


def ensure_database(url: URL, retries: Retries | None = None, creates: bool = True) -> None:
    """Reach the database named by the URL, and create it unless it is there, if `creates`.

    Raises:
        DatabaseUnreachable: the server does not answer. One that is only starting is waited for.
        DatabaseNotCreated: it is not there, and the role may not create it.
        NothingStoredYet: it is not there, and this process creates none.
    """
    with translated_errors(url):
        try:
            open_connection(url, retries).close()
        except psycopg.OperationalError as refusal:
            # Failures to connect come without a code and in the server's language, but 3D000 names the database.
            if (url.database or "") not in str(refusal):
                raise
            _create_database(url, refusal, creates)


def _create_database(url: URL, refusal: psycopg.OperationalError, creates: bool = True) -> None:
    """`refusal` is what the server said when the database was asked for."""
    name = url.database or ""
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    try:
        connection = open_connection(url.set(database="postgres"))
    except psycopg.OperationalError as error:
        if f'database "{name}" does not exist' in str(refusal):
            raise _not_created(url, statement, error) if creates else _nothing_stored(url) from error
        raise refusal from None
    with connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            open_connection(url).close()  # another process made it meanwhile; if it is closed to the role, this raises
            return
        if not creates:
            raise _nothing_stored(url)
        _create(connection, url, statement)


def _create(connection: Connection, url: URL, statement: sql.Composed) -> None:
    in_utf8 = connection.execute(_HOLDS_ALL_TEXT).fetchone() == (False,)
    try:
        connection.execute(statement + _IN_UTF8 if in_utf8 else statement)
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # another process was faster
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_created(url, statement, error) from error


def _nothing_stored(url: URL) -> NothingStoredYet:
    return NothingStoredYet(f"there is no database {printable_url(url)}", setting_of(url) or DATABASE_URL, url.database)


def _not_created(url: URL, statement: sql.Composed, error: psycopg.Error) -> DatabaseNotCreated:
    # Without an owner the role could not make tables in it (PostgreSQL 15 and newer).
    owner = sql.SQL(" OWNER {}").format(sql.Identifier(url.username)) if url.username else None
    whole = statement + owner if owner else statement
    return DatabaseNotCreated(url.database or "", whole.as_string(None), " ".join(str(error).split()))
