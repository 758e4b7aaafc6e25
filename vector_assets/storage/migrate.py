"""Makes the product's tables, and migrates them to this version. Several processes may do it at once.

Only the command migrates tables that are there, because other processes may be of an older version. The embedded server
belongs to one home, so that whoever starts it migrates it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql
from sqlalchemy import URL

from ..errors import DatabaseFailed, DatabaseTooNew, MigrationDue, NothingStoredYet, PgvectorMissing
from .connections import Connection, open_connection
from .database_url import is_embedded
from .driver_errors import translated_errors
from .requirements import DatabaseFacts, read_facts, require_creatable, require_usable
from .retries import Retries
from .sessions import DEFAULT_SCHEMA

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0001"
"""The newest revision. Known here so that a database that is up to date costs two queries and no import of Alembic."""

# Any constant does; it is this project's name in ASCII, shifted into the 63 bits of a lock number.
_MIGRATION_LOCK = int.from_bytes(b"vectoras", "big") >> 1

# Whether an administrator limits how long statements run or wait. No such limit is meant for a migration.
_LIMITED = "SELECT current_setting('statement_timeout') <> '0' OR current_setting('lock_timeout') <> '0'"


class TablesState(NamedTuple):
    """The revision of the tables; None: there are none. `oldest` is the oldest revision whose programs can use them."""

    revision: str | None
    oldest: str | None

    @property
    def is_due(self) -> bool:
        """Whether a migration would change something."""
        return self.revision is None or self.revision < HEAD

    @property
    def is_usable(self) -> bool:
        """Whether this version of the project works with the tables as they are."""
        return self.revision == HEAD or (self.oldest is not None and not self.is_due and self.oldest <= HEAD)


def ensure_tables(url: URL, retries: Retries | None = None, schema: str = DEFAULT_SCHEMA, creates: bool = True) -> None:
    """Have the tables in the database, as this version needs them: make them where there are none, if `creates`.

    Raises:
        NothingStoredYet: there are no tables, and this process makes none.
        MigrationDue: they are of an older version, and the database is not the embedded server's.
        DatabaseTooNew: a newer version has made them, and this one cannot work with them.
        DatabaseError: the database lacks something.
    """
    with translated_errors(url), open_connection(url, retries, schema) as connection:
        facts = read_facts(connection, schema)
        require_usable(facts, schema)
        state = _state(connection, schema, facts)
    if state.is_usable:
        return
    if not state.is_due:
        raise DatabaseTooNew(facts.database, str(state.revision), HEAD)
    if state.revision is None and not creates:
        require_creatable(facts, schema)
        missing = f"database {facts.database!r} has no tables of vector_assets in schema {schema!r}"
        raise NothingStoredYet(missing, "VECTOR_ASSETS_DATABASE_URL and VECTOR_ASSETS_SCHEMA")
    if state.revision is not None and not is_embedded(url):
        raise MigrationDue(facts.database, state.revision, HEAD)
    migrate(url, retries, schema)


def tables_state(url: URL, retries: Retries | None = None, schema: str = DEFAULT_SCHEMA) -> TablesState:
    """Read of which version the tables are.

    Raises:
        DatabaseError: the database lacks something.
    """
    with translated_errors(url), open_connection(url, retries, schema) as connection:
        facts = read_facts(connection, schema)
        require_usable(facts, schema)
        return _state(connection, schema, facts)


def migrate(url: URL, retries: Retries | None = None, schema: str = DEFAULT_SCHEMA) -> None:
    """Apply the migrations that are missing, one process at a time; runs of other processes may be at work meanwhile.

    Raises:
        DatabaseTooNew: a newer version has made the tables, and this one cannot work with them.
        DatabaseError: the database lacks something. Nothing was made in it.
    """
    with translated_errors(url), open_connection(url, retries, schema) as connection:
        limited = connection.execute(_LIMITED).fetchone() != (False,)
    unlimited = _without_limits(url) if limited else url
    with translated_errors(url), open_connection(unlimited, retries, schema) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        facts = read_facts(connection, schema)
        require_usable(facts, schema)
        state = _state(connection, schema, facts)
        if state.is_usable:
            return
        if not state.is_due:
            raise DatabaseTooNew(facts.database, str(state.revision), HEAD)
        require_creatable(facts, schema)
        _create(connection, schema, facts)
        (retries or Retries()).call(lambda: _upgrade(unlimited, schema), _is_conflict)


def _is_conflict(error: BaseException) -> bool:
    """A migration that met a run at work is rolled back whole, and may be tried again."""
    return isinstance(error, DatabaseFailed) and error.passes


def _without_limits(url: URL) -> URL:
    given = url.query.get("options", "")
    before = given if isinstance(given, str) else " ".join(given)
    return url.update_query_dict({"options": f"{before} -c statement_timeout=0 -c lock_timeout=0".strip()})


def _state(connection: Connection, schema: str, facts: DatabaseFacts) -> TablesState:
    if not facts.has_tables:
        return TablesState(None, None)
    revision = sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(schema, "alembic_version"))
    oldest = sql.SQL("SELECT oldest_revision FROM {}").format(sql.Identifier(schema, "compatibility"))
    return TablesState(_value(connection, revision), _value(connection, oldest))


def _value(connection: Connection, query: sql.Composed) -> str | None:
    row = connection.execute(query).fetchone()
    return str(row[0]) if row else None


def _create(connection: Connection, schema: str, facts: DatabaseFacts) -> None:
    """Create the schema and the extension, whichever is missing; both or none."""
    with connection.transaction():
        # Not IF NOT EXISTS: that needs the right to create one, even where it is there already.
        if not facts.has_schema:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        if facts.pgvector is None:
            # Where other programs look for it too, if it may be there.
            place = sql.Identifier("public" if facts.may_create_in_public else schema)
            try:
                connection.execute(sql.SQL("CREATE EXTENSION vector SCHEMA {}").format(place))
            except (
                psycopg.errors.FeatureNotSupported,
                psycopg.errors.UndefinedFile,
                psycopg.errors.InsufficientPrivilege,
            ) as error:
                raise PgvectorMissing(facts.database, str(error).splitlines()[0]) from error


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
