"""Creates the database and migrates its tables to this version. Several processes may do it at once."""

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from sqlalchemy import URL

from ..errors import DatabaseFailed, DatabaseNotCreated, DatabaseTooNew, DatabaseTooOld, PgvectorMissing
from .connections import Connection, open_connection
from .database_url import printable_url
from .driver_errors import translated_errors
from .retries import Retries
from .sessions import DEFAULT_SCHEMA

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0002"
"""The newest revision. Known here so that a database that is up to date costs one query and no import of Alembic."""

# halfvec and its array type came with pgvector 0.7; older PostgreSQL releases are out of support.
NEEDED_POSTGRES = 14
NEEDED_PGVECTOR = (0, 7)

# Any constant does; it is this project's name in ASCII, shifted into the 63 bits of a lock number.
_MIGRATION_LOCK = int.from_bytes(b"vectoras", "big") >> 1

# Whether an administrator limits how long statements run or wait. No such limit is meant for a migration.
_LIMITED = "SELECT current_setting('statement_timeout') <> '0' OR current_setting('lock_timeout') <> '0'"


def ensure_database(url: URL, retries: Retries | None = None) -> None:
    """Create the database named by the URL unless it is there (several processes may try at once).

    Raises:
        DatabaseUnreachable: the server does not answer. One that is only starting is waited for.
        DatabaseNotCreated: it is not there, and the role may not create it.
    """
    with translated_errors(url):
        try:
            open_connection(url, retries).close()
        except psycopg.OperationalError as refusal:
            # Failures to connect come without a code and in the server's language, but 3D000 names the database.
            if (url.database or "") not in str(refusal):
                raise
            _create_database(url, refusal)


def _create_database(url: URL, refusal: psycopg.OperationalError) -> None:
    """`refusal` is what the server said when the database was asked for."""
    name = url.database or ""
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    try:
        connection = open_connection(url.set(database="postgres"))
    except psycopg.OperationalError as error:
        if f'database "{name}" does not exist' in str(refusal):
            raise _not_created(url, statement, error) from error
        raise refusal from None
    with connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            open_connection(url).close()  # another process made it meanwhile; if it is closed to the role, this raises
            return
        try:
            connection.execute(statement)
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another process was faster
        except psycopg.errors.InsufficientPrivilege as error:
            raise _not_created(url, statement, error) from error


def _not_created(url: URL, statement: sql.Composed, error: psycopg.Error) -> DatabaseNotCreated:
    # Without an owner the role could not make tables in it (PostgreSQL 15 and newer).
    owner = sql.SQL(" OWNER {}").format(sql.Identifier(url.username)) if url.username else None
    whole = statement + owner if owner else statement
    return DatabaseNotCreated(url.database or "", whole.as_string(None), " ".join(str(error).split()))


def migrate(url: URL, retries: Retries | None = None, schema: str = DEFAULT_SCHEMA) -> None:
    """Apply the migrations that are missing, one process at a time; runs of other processes may be at work meanwhile.

    Raises:
        DatabaseUnreachable, DatabaseTooOld, DatabaseTooNew, PgvectorMissing, DatabaseFailed.
    """
    with translated_errors(url), open_connection(url, retries, schema) as connection:
        if _revision(connection, schema) == HEAD:
            return
        limited = connection.execute(_LIMITED).fetchone() != (False,)
    unlimited = _without_limits(url) if limited else url
    with translated_errors(url), open_connection(unlimited, retries, schema) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        found = _revision(connection, schema)
        if found != HEAD:
            _check_revision(url, found)
            check_versions(connection.info.server_version, _create_extension(connection, url))
            _create_schema(connection, schema)
            (retries or Retries()).call(lambda: _upgrade(unlimited, schema), _is_conflict)


def _is_conflict(error: BaseException) -> bool:
    """A migration that met a run at work is rolled back whole, and may be tried again."""
    return isinstance(error, DatabaseFailed) and error.passes


def _without_limits(url: URL) -> URL:
    given = url.query.get("options", "")
    before = given if isinstance(given, str) else " ".join(given)
    return url.update_query_dict({"options": f"{before} -c statement_timeout=0 -c lock_timeout=0".strip()})


def check_versions(postgres: int, pgvector: str) -> None:
    """Refuse servers that lack what the tables are made of. `postgres` is libpq's number, e.g. 180004.

    Raises:
        DatabaseTooOld: one of the two is too old.
    """
    if postgres < NEEDED_POSTGRES * 10_000:
        raise DatabaseTooOld("PostgreSQL", f"{postgres // 10_000}", f"{NEEDED_POSTGRES}")
    if tuple(int(part) for part in pgvector.split(".")[:2]) < NEEDED_PGVECTOR:
        raise DatabaseTooOld("pgvector", pgvector, ".".join(map(str, NEEDED_PGVECTOR)))


def _revision(connection: Connection, schema: str) -> str | None:
    query = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, "alembic_version"))
    try:
        row = connection.execute(query).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return str(row[0]) if row else None


def _create_extension(connection: Connection, url: URL) -> str:
    """Have the extension in the database; give its version."""
    installed = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    try:
        row = connection.execute(installed).fetchone()
        if row is None:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
            row = connection.execute(installed).fetchone()
    except (
        psycopg.errors.FeatureNotSupported,
        psycopg.errors.UndefinedFile,
        psycopg.errors.InsufficientPrivilege,
    ) as e:
        raise PgvectorMissing(url.database or printable_url(url), str(e).splitlines()[0]) from e
    assert row is not None
    return str(row[0])


def _create_schema(connection: Connection, schema: str) -> None:
    # Not IF NOT EXISTS: that needs the right to create one, even where it is there already.
    if connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))


def _check_revision(url: URL, found: str | None) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseTooNew(url.database or printable_url(url), found, HEAD)


def _upgrade(url: URL, schema: str) -> None:
    from alembic import command

    def connect() -> Connection:
        connection = open_connection(url, schema=schema)
        connection.autocommit = False
        return connection

    config = _alembic()
    config.attributes.update(connect=connect, schema=schema)
    with translated_errors(url):
        command.upgrade(config, "head")


def _alembic() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
