"""What Dagster's own database lacks for Dagster's tables: asked and reported before Dagster opens it."""

from sqlalchemy import URL

from ..errors import DatabaseReadOnly, RightMissing
from .connections import open_connection
from .driver_errors import translated_errors
from .retries import Retries

# Dagster looks where the role's own search path leads.
_FACTS = """
SELECT current_user::text, current_database()::text, current_setting('transaction_read_only')::boolean,
       to_regclass('event_logs') IS NOT NULL,
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       coalesce(bool_and(has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT')), true)
FROM unnest(ARRAY[to_regclass('runs'), to_regclass('event_logs')]) name WHERE name IS NOT NULL
"""


def require_dagster_storage(url: URL, retries: Retries | None = None) -> None:
    """Refuse a database in which Dagster can neither use its tables nor make them.

    Raises:
        DatabaseReadOnly, RightMissing: it lacks something.
    """
    with translated_errors(url), open_connection(url, retries) as connection:
        connection.execute("RESET search_path")
        row = connection.execute(_FACTS).fetchone()
    assert row is not None
    role, database, read_only, has_tables, may_create, may_use = row
    if read_only:
        raise DatabaseReadOnly(database, role)
    if has_tables and not may_use:
        right = f"use Dagster's tables in database {database}"
        raise RightMissing(role, right, f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"')
    if not has_tables and not may_create:
        right = f"create Dagster's tables in database {database}"
        raise RightMissing(role, right, f'GRANT CREATE ON SCHEMA public TO "{role}"')
