"""What every session of the product relies on, whatever the role, the database, the environment or a pooler has set."""

import re
from typing import Any, LiteralString

import psycopg

from ..errors import InvalidSetting

DEFAULT_SCHEMA = "vector_assets"

LOCK_TIMEOUT = "5s"
"""How long a statement waits for another session's lock. The product's own are held for milliseconds.

Whoever holds one for longer is named in a warning, and after some attempts in an error; see `lock_holders`.
"""
# The server truncates names to 63 bytes. Without upper-case letters nobody has to quote it.
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")

# Names are looked up among PostgreSQL's own, then in the product's schema, then in pgvector's, and in temporary tables
# last. Rows that a policy would hide are an error, because an incomplete answer would pass for a whole one. The other
# values are those in which psycopg reads answers, and under which the product's statements were written.
_CONFIGURE: LiteralString = """
SELECT set_config('search_path', concat_ws(', ', quote_ident(%(schema)s), (
           SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n
           ON n.oid = e.extnamespace WHERE e.extname = 'vector'), 'pg_temp'), %(local)s),
       set_config('row_security', 'off', %(local)s),
       set_config('datestyle', 'ISO, MDY', %(local)s), set_config('intervalstyle', 'postgres', %(local)s),
       set_config('timezone', 'UTC', %(local)s), set_config('extra_float_digits', '1', %(local)s),
       set_config('bytea_output', 'hex', %(local)s), set_config('standard_conforming_strings', 'on', %(local)s),
       set_config('array_nulls', 'on', %(local)s),
       CASE WHEN current_setting('session_replication_role') <> 'origin'
            THEN set_config('session_replication_role', 'origin', %(local)s) END,
       CASE WHEN %(lock_timeout)s <> '' AND current_setting('lock_timeout') = '0'
            THEN set_config('lock_timeout', %(lock_timeout)s, %(local)s) END
"""


def checked_schema(name: str) -> str:
    """Give the name back if tables can lie in a schema of that name.

    Raises:
        InvalidSetting: they cannot.
    """
    setting, fix = "VECTOR_ASSETS_SCHEMA", f"Unset it for {DEFAULT_SCHEMA}, or choose a name such as filings_vectors."
    if not _SCHEMA.fullmatch(name):
        problem = f"{name!r} is not a name of lower-case letters, digits and '_' with at most 63 characters"
        raise InvalidSetting(setting, problem, fix)
    if name.startswith("pg_") or name == "information_schema":
        raise InvalidSetting(setting, f"the schema {name!r} is PostgreSQL's own", fix)
    return name


def configure_session(
    connection: psycopg.Connection[Any], schema: str, local: bool = False, lock_timeout: str = ""
) -> None:
    """Make the session, or with `local` the transaction, one that the product's statements can rely on.

    `lock_timeout` is for sessions that no administrator has given a limit; empty: they wait without one.
    """
    connection.execute(_CONFIGURE, {"schema": schema, "local": local, "lock_timeout": lock_timeout})
