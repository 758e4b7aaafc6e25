"""Brings a database to the tables this version needs. Safe when several processes start at once."""

from contextlib import suppress
from pathlib import Path

import psycopg
from sqlalchemy import URL

from ..errors import DatabaseTooOld, PgvectorMissing
from .database import CONNECT_TIMEOUT_SECONDS, our_errors, printable_url

MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0001"
"""The newest revision. Known here so that a database that is up to date costs one query and no import of Alembic."""

# halfvec and its array type came with pgvector 0.7; older PostgreSQL releases are out of support.
NEEDED_POSTGRES = 14
NEEDED_PGVECTOR = (0, 7)

# Any constant does; it is this project's name in ASCII, cut to the 63 bits of a lock number.
_MIGRATION_LOCK = int.from_bytes(b"vectoras", "big") >> 1


def ensure_database(url: URL) -> None:
    """Create the database named by the URL unless it is there (several processes may try at once).

    Raises:
        DatabaseUnreachable: the server does not answer.
        DatabaseFailed: the role may not create databases.
    """
    with our_errors(url), _connect(url.set(database="postgres")) as connection:
        name = url.database or ""
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return
        statement = psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
        # Another process may have been faster.
        with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            connection.execute(statement)


def migrate(url: URL) -> None:
    """Apply the migrations that are missing.

    Raises:
        DatabaseUnreachable, DatabaseTooOld, PgvectorMissing, DatabaseFailed.
    """
    with our_errors(url), _connect(url) as connection:
        if _revision(connection) == HEAD:
            return
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        if _revision(connection) != HEAD:
            check_versions(connection.info.server_version, _create_extension(connection, url))
            _upgrade(url)


def check_versions(postgres: int, pgvector: str) -> None:
    """Refuse servers that lack what the tables are made of. `postgres` is libpq's number, e.g. 180004.

    Raises:
        DatabaseTooOld: one of the two is too old.
    """
    if postgres < NEEDED_POSTGRES * 10_000:
        raise DatabaseTooOld("PostgreSQL", f"{postgres // 10_000}", f"{NEEDED_POSTGRES}")
    if tuple(int(part) for part in pgvector.split(".")[:2]) < NEEDED_PGVECTOR:
        raise DatabaseTooOld("pgvector", pgvector, ".".join(map(str, NEEDED_PGVECTOR)))


def _connect(url: URL) -> psycopg.Connection[tuple[object, ...]]:
    """An autocommit connection outside any pool; closed by `with`, which also gives up its advisory locks."""
    conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(conninfo, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS)


def _revision(connection: psycopg.Connection[tuple[object, ...]]) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return str(row[0]) if row else None


def _create_extension(connection: psycopg.Connection[tuple[object, ...]], url: URL) -> str:
    """Have the extension in the database; give its version."""
    installed = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    try:
        row = connection.execute(installed).fetchone()
        if row is None:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            row = connection.execute(installed).fetchone()
    except (
        psycopg.errors.FeatureNotSupported,
        psycopg.errors.UndefinedFile,
        psycopg.errors.InsufficientPrivilege,
    ) as e:
        raise PgvectorMissing(url.database or printable_url(url), str(e).splitlines()[0]) from e
    assert row is not None
    return str(row[0])


def _upgrade(url: URL) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = url
    command.upgrade(config, "head")
