"""What a database lacks for the product's tables: asked and reported before anything is made in it."""

from typing import NamedTuple

from psycopg.rows import class_row

from ..errors import (
    DatabaseReadOnly,
    DatabaseTooOld,
    PgvectorMissing,
    RightMissing,
    SchemaTaken,
    WrongServerEncoding,
)
from .connections import Connection

# halfvec and its array type came with pgvector 0.7; older PostgreSQL releases are out of support.
NEEDED_POSTGRES = 14
NEEDED_PGVECTOR = (0, 7)

# SQL_ASCII stores what it is given, and is given UTF-8.
_ENCODINGS = {"UTF8", "SQL_ASCII"}
# Tables that the product has had since its first revision, and that no other program has by chance.
_OUR_TABLES = {"alembic_version", "embedding_spaces", "pending_chunks"}

_FACTS = """
SELECT current_setting('server_version_num')::integer AS postgres, current_database()::text AS database,
       current_user::text AS role, current_setting('server_encoding') AS encoding,
       current_setting('transaction_read_only')::boolean AS read_only,
       has_database_privilege(current_database(), 'CREATE') AS may_create_schema,
       n.oid IS NOT NULL AS has_schema,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS may_use_schema,
       coalesce(has_schema_privilege(n.oid, 'CREATE'), false) AS may_create_in_schema,
       ARRAY(SELECT c.relname::text FROM pg_class c
             WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1) AS relations,
       e.extversion AS pgvector, v.nspname::text AS pgvector_schema,
       coalesce(has_schema_privilege(v.oid, 'USAGE'), false) AS may_use_pgvector,
       coalesce(has_schema_privilege(to_regnamespace('public'), 'CREATE'), false) AS may_create_in_public
FROM (SELECT) one
LEFT JOIN pg_namespace n ON n.nspname = %s
LEFT JOIN (pg_extension e JOIN pg_namespace v ON v.oid = e.extnamespace) ON e.extname = 'vector'
"""


class DatabaseFacts(NamedTuple):
    """What there is in a database, and what the role may do in it. `postgres` is libpq's number, e.g. 180004."""

    postgres: int
    database: str
    role: str
    encoding: str
    read_only: bool
    may_create_schema: bool
    has_schema: bool
    may_use_schema: bool
    may_create_in_schema: bool
    relations: list[str]
    pgvector: str | None
    pgvector_schema: str | None
    may_use_pgvector: bool
    may_create_in_public: bool

    @property
    def has_tables(self) -> bool:
        """Whether the product's tables are in the schema."""
        return set(self.relations) >= _OUR_TABLES


def read_facts(connection: Connection, schema: str) -> DatabaseFacts:
    """Ask the database."""
    with connection.cursor(row_factory=class_row(DatabaseFacts)) as cursor:
        facts = cursor.execute(_FACTS, (schema,)).fetchone()
    assert facts is not None
    return facts


def require_usable(facts: DatabaseFacts, schema: str) -> None:
    """Refuse a database that no process can work with, whether or not the tables are in it.

    Raises:
        DatabaseTooOld, WrongServerEncoding, RightMissing: it lacks something.
    """
    if facts.postgres < NEEDED_POSTGRES * 10_000:
        raise DatabaseTooOld("PostgreSQL", f"{facts.postgres // 10_000}", f"{NEEDED_POSTGRES}")
    if facts.encoding not in _ENCODINGS:
        raise WrongServerEncoding(facts.database, facts.encoding)
    if facts.has_schema and not facts.may_use_schema:
        raise _right_missing(facts, f"use schema {schema}", f"GRANT USAGE ON SCHEMA {schema}")
    if facts.pgvector is None:
        return
    if tuple(int(part) for part in facts.pgvector.split(".")[:2]) < NEEDED_PGVECTOR:
        raise DatabaseTooOld("pgvector", facts.pgvector, ".".join(map(str, NEEDED_PGVECTOR)))
    if not facts.may_use_pgvector:
        right = f"use schema {facts.pgvector_schema}, where pgvector is"
        raise _right_missing(facts, right, f'GRANT USAGE ON SCHEMA "{facts.pgvector_schema}"')


def require_creatable(facts: DatabaseFacts, schema: str) -> None:
    """Refuse a database in which the product's tables cannot be made.

    Raises:
        DatabaseReadOnly, SchemaTaken, RightMissing, PgvectorMissing: it lacks something.
    """
    if facts.read_only:
        raise DatabaseReadOnly(facts.database, facts.role)
    if facts.relations and not facts.has_tables:
        raise SchemaTaken(facts.database, schema, facts.relations)
    if facts.has_schema and not facts.may_create_in_schema:
        raise _right_missing(facts, f"create tables in schema {schema}", f"GRANT CREATE ON SCHEMA {schema}")
    if not facts.has_schema and not facts.may_create_schema:
        statement = f'CREATE SCHEMA {schema} AUTHORIZATION "{facts.role}"'
        raise RightMissing(facts.role, f"create schema {schema} in database {facts.database}", statement)
    if facts.pgvector is None and not facts.may_create_schema:
        raise PgvectorMissing(facts.database, f"role {facts.role!r} may not create it")


def _right_missing(facts: DatabaseFacts, right: str, grant: str) -> RightMissing:
    return RightMissing(facts.role, f"{right} in database {facts.database}", f'{grant} TO "{facts.role}"')
