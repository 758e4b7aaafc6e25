"""What a database lacks, or why it cannot go on."""

from collections.abc import Sequence
from pathlib import Path

from ..translation import translate
from .family import DAGSTER_DATABASE_URL, DATABASE_URL, VectorAssetsError


class DatabaseError(VectorAssetsError):
    """PostgreSQL could not be used, or refused something. No message ever contains a password."""


class DatabaseUnreachable(DatabaseError):
    """No connection could be made, or it was lost. `refused`: the server runs, and rejects this role."""

    def __init__(self, url: str, reason: str, refused: bool = False, setting: str | None = DATABASE_URL) -> None:
        check = f"Check that the server runs and that {setting}"
        fix = {
            None: "It is the embedded server, whose log is VECTOR_ASSETS_HOME/postgres/log. Run vector-assets doctor.",
            DATABASE_URL: f"{check} is right, or unset it to use the embedded server.",
        }.get(setting, f"{check} is right, or unset it for the database beside the product's own.")
        super().__init__(f"cannot reach the database {url}: {reason}. {fix}")
        self.passes = not refused


class DatabaseStarting(DatabaseUnreachable):
    """The server accepts no connections at the moment: it starts, stops or recovers from a crash."""


class DatabaseTooOld(DatabaseError):
    """PostgreSQL or pgvector is older than this project needs."""

    def __init__(self, what: str, found: str, needed: str) -> None:
        super().__init__(
            f"{what} {found} is too old: {needed} or newer is needed. Upgrade it, "
            "or unset VECTOR_ASSETS_DATABASE_URL to use the embedded server."
        )


class PgvectorMissing(DatabaseError):
    """The extension `vector` does not exist in the database and could not be created."""

    def __init__(self, database: str, reason: str) -> None:
        super().__init__(
            f"pgvector is missing in database {database!r} ({reason}). Install it on the server and, as an owner, "
            "run CREATE EXTENSION vector; or unset VECTOR_ASSETS_DATABASE_URL to use the embedded server."
        )


class PgvectorUnsafe(DatabaseError):
    """pgvector is so old that an index may be damaged. Everything else works."""

    def __init__(self, found: str, needed: str, wished: str) -> None:
        super().__init__(
            translate(
                "pgvector {found} may damage an index: one is built with {needed} or newer, best {wished}. Searches "
                "compare with every vector meanwhile. Upgrade pgvector on the server, then run ALTER EXTENSION vector "
                "UPDATE.",
                found=found,
                needed=needed,
                wished=wished,
            )
        )
        self.found = found


class EmbeddedServerFailed(DatabaseError):
    """The embedded server did not start in the home directory."""

    def __init__(self, home: Path, problem: str, log: Path | None = None) -> None:
        see = f" (its log is {log})" if log else ""
        super().__init__(
            f"the embedded server of {home} did not start: {problem}{see}. Set VECTOR_ASSETS_HOME to another directory "
            "that you may write, or VECTOR_ASSETS_DATABASE_URL to a server of yours."
        )
        self.home = home


class DatabaseNotCreated(DatabaseError):
    """The database does not exist, and the role may not create it."""

    def __init__(self, database: str, statement: str, reason: str) -> None:
        other = ", or set VECTOR_ASSETS_DAGSTER_DATABASE_URL to another" if database.endswith("_dagster") else ""
        super().__init__(
            f"database {database!r} does not exist and could not be created ({reason}). "
            f"Ask an owner of the server to run {statement}{other}."
        )
        self.database = database


class NothingStoredYet(DatabaseError):
    """There is no database, or none of the tables are in it, and a command that only reads makes none."""

    def __init__(self, missing: str, settings: str, database: str | None = None) -> None:
        if database and settings == DAGSTER_DATABASE_URL:
            begin = translate("create it: CREATE DATABASE {database}", database=database)
        else:
            begin = translate("begin there with vector-assets ingest DIR")
        super().__init__(
            translate("{missing}. Check {settings}, or {begin}.", missing=missing, settings=settings, begin=begin)
        )


class WrongServerEncoding(DatabaseError):
    """The database cannot hold every text."""

    def __init__(self, database: str, encoding: str) -> None:
        super().__init__(
            f"database {database!r} is encoded in {encoding}, which cannot hold every text. Use another one: "
            f"CREATE DATABASE {database}_utf8 ENCODING 'UTF8' TEMPLATE template0."
        )


class DatabaseReadOnly(DatabaseError):
    """Nothing can be written: a standby, or default_transaction_read_only is on."""

    def __init__(self, database: str, role: str) -> None:
        super().__init__(
            f"database {database!r} is read-only for role {role!r}: it is a standby, or default_transaction_read_only "
            f"is on. Name the primary server, or run ALTER ROLE {role} SET default_transaction_read_only = off."
        )


class RightMissing(DatabaseError):
    """The role lacks a right in the database. `statement` is what an owner runs to grant it."""

    def __init__(self, role: str, right: str, statement: str) -> None:
        super().__init__(f"role {role!r} may not {right}. Ask an owner of the database to run {statement}.")
        self.statement = statement


class SchemaTaken(DatabaseError):
    """The schema holds relations of another program. Nothing was made in it."""

    def __init__(self, database: str, schema: str, relations: Sequence[str]) -> None:
        named = ", ".join(relations[:3]) + (", ..." if len(relations) > 3 else "")
        super().__init__(
            f"schema {schema!r} of database {database!r} belongs to another program, which has {named} there. Choose a "
            "schema of your own with VECTOR_ASSETS_SCHEMA."
        )
        self.schema = schema


class MigrationDue(DatabaseError):
    """The tables are of an older version, and no process but the command migrates a shared database."""

    def __init__(self, database: str, found: str, newest: str) -> None:
        super().__init__(
            f"the tables of database {database!r} are at revision {found}, and this version of vector_assets needs "
            f"{newest}. Run vector-assets migrate."
        )
        self.database = database


class DatabaseTooNew(DatabaseError):
    """A newer version of this project created the tables."""

    def __init__(self, database: str, found: str, newest: str) -> None:
        super().__init__(
            f"database {database!r} is at revision {found}, but the newest that this version of vector_assets knows is "
            f"{newest}. Upgrade vector_assets, or set VECTOR_ASSETS_DATABASE_URL to another database."
        )
        self.database = database


class DatabaseFull(DatabaseError):
    """The disk of the database server is full."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the disk of the database server is full ({reason}). Free some space there. What was "
            "committed is kept, and the next run does the rest."
        )


_FIXES = {
    "25006": "Name a server that can be written, or set default_transaction_read_only = off for the role.",
    "42501": "Have the tables' owner grant the role what docs/operations.md lists.",
    "55P03": "See in pg_stat_activity who holds the lock, or raise lock_timeout for the role.",
    "57014": "See in pg_stat_activity what it waited for, or raise statement_timeout for the role.",
}
"""What to do, by PostgreSQL's code."""


class DatabaseFailed(DatabaseError):
    """PostgreSQL refused a statement."""

    def __init__(self, reason: str, sqlstate: str | None, passes: bool = False) -> None:
        fix = _FIXES.get(sqlstate or "", "")
        super().__init__(f"the database refused a statement ({sqlstate or 'no code'}): {reason}.{fix and ' ' + fix}")
        self.sqlstate = sqlstate
        self.passes = passes


class DatabaseLocked(DatabaseError):
    """Another session holds a lock for longer than a statement waits. `holder` says which one, if that is known."""

    passes = True

    def __init__(self, problem: str, holder: str | None, holder_pid: int | None = None) -> None:
        found = f" It is held by {holder}." if holder else ""
        fix = f", or end it with SELECT pg_terminate_backend({holder_pid})" if holder_pid is not None else ""
        super().__init__(
            f"a lock of another session is in the way ({problem}).{found} Let that session end its transaction{fix}. "
            "What was committed is kept."
        )
        self.holder = holder
        self.holder_pid = holder_pid
