"""Who holds the lock for which a statement has waited in vain."""

from collections.abc import Sequence
from typing import LiteralString

import psycopg

from ..domain.wording import readable_line
from ..errors import DatabaseLocked
from .connections import Connection

# A session that has held a lock on one of the product's tables since before the wait began: the one with the strongest
# lock, which blocks most, and of several the one with the longest transaction. pg_blocking_pids would name it only
# while somebody waits, and by now nobody does. This process's own sessions wait as well, and are not meant. Of the
# sessions of other roles, PostgreSQL shows neither the statement nor the times to those who have no right to see them.
_HOLDERS: LiteralString = """
SELECT a.pid, a.application_name, a.usename, a.state, a.query_start, a.query, c.relname, l.mode
FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a USING (pid)
JOIN pg_catalog.pg_class c ON c.oid = l.relation
WHERE l.granted AND l.relation IS NOT NULL AND c.relkind IN ('r', 'p')
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND c.relnamespace = current_schema()::regnamespace AND l.pid <> ALL(%s)
  AND coalesce(a.xact_start < clock_timestamp() - current_setting('lock_timeout')::interval, true)
ORDER BY array_position(ARRAY[
             'AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock', 'ShareUpdateExclusiveLock',
             'RowExclusiveLock', 'RowShareLock', 'AccessShareLock'], l.mode),
         a.xact_start, a.pid
LIMIT 1
"""

_SHOWN_CHARACTERS = 80


def locked(connection: Connection, problem: str, own: Sequence[int]) -> DatabaseLocked:
    """Make the error of a statement that waited for a lock in vain; the connection has no open transaction.

    `own` are the server processes of this process's sessions.
    """
    problem = readable_line(problem.splitlines()[0] if problem else "", _SHOWN_CHARACTERS)
    try:
        row = connection.execute(_HOLDERS, (list(own),)).fetchone()
        connection.rollback()
    except psycopg.Error:
        row = None
    if row is None:
        return DatabaseLocked(problem, None)
    pid, application, user, state, query_start, query, table, mode = row
    since = f" since {query_start.astimezone():%H:%M:%S}" if query_start else ""
    doing = f", {state}{since}" if state else ""
    statement = f", last statement: {readable_line(query, _SHOWN_CHARACTERS)}" if query_start and query else ""
    name = application or "a program without a name"
    holder = f"server process {pid} ({name}, role {user}{doing}{statement}), which has {mode} on {table}"
    return DatabaseLocked(problem, holder, pid)
