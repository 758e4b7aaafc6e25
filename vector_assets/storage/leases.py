"""Leases in PostgreSQL: the token of a partition's lease is what lets a run commit."""

import os
import socket
from datetime import timedelta

from ..domain.partition_keys import PartitionKey
from ..errors import LeaseLost
from .database import Connection, Database, repeatable
from .partition_columns import IN_PARTITION, partition_parameters

# Take the lease, and with it every former one of the partition: the deletion waits for the commits that hold the row,
# and the commits that come later find none.
_TAKE_AWAY = f"DELETE FROM partition_leases WHERE space = %(space)s AND {IN_PARTITION}"
# A commit that a process has begun and does not end, because it is stopped or cut off, would keep the lease for a
# minute, or for ever where the server waits for the rest of a pipeline: such a session counts as active. It is not
# waited for when the lease has expired; a process that lives after all does its commit again.
_END_SILENT_COMMITS = f"""
SELECT pg_terminate_backend(a.pid, 5000) FROM pg_stat_activity a
WHERE (a.state = 'idle in transaction' OR a.state = 'active' AND a.wait_event = 'ClientRead')
  AND a.state_change < now() - interval '1 s'
  AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.relation = 'partition_leases'::regclass AND l.granted)
  AND EXISTS (SELECT FROM partition_leases
              WHERE space = %(space)s AND {IN_PARTITION} AND expires_at < now())
"""
_WAIT_BRIEFLY = "SET LOCAL lock_timeout = '1s'"
_TAKE = """
INSERT INTO partition_leases (space, market, doc_type, stock_code, run_id, host, pid, expires_at)
VALUES (%(space)s, %(market)s, %(doc_type)s, %(stock_code)s, %(run_id)s, %(host)s, %(pid)s, now() + %(period)s)
RETURNING token
"""
_RENEW = "UPDATE partition_leases SET expires_at = now() + %s WHERE token = %s"
_HELD = "SELECT FROM partition_leases WHERE token = %s FOR KEY SHARE"
_RELEASE = "DELETE FROM partition_leases WHERE token = %s"
_EXPIRED = f"SELECT FROM partition_leases WHERE space = %(space)s AND {IN_PARTITION} AND expires_at < now()"
_EXPIRED_RUNS = "SELECT DISTINCT run_id FROM partition_leases WHERE expires_at < now()"


class PostgresLeases:
    """The `Leases` port. Locks and heartbeats do their calls again themselves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, partition: PartitionKey, space_slug: str, run_id: str, period: timedelta) -> int:
        """Take the partition's lease from whichever run has it; return the token."""
        parameters = {
            **_place(partition, space_slug),
            "run_id": run_id,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "period": period,
        }
        with self._database.transaction() as connection:
            connection.execute(_END_SILENT_COMMITS, parameters)
            connection.execute(_WAIT_BRIEFLY)
            connection.execute(_TAKE_AWAY, parameters)
            row = connection.execute(_TAKE, parameters).fetchone()
        assert row is not None
        return int(row[0])

    def renew(self, token: int, period: timedelta) -> bool:
        """Let the lease end so much later than now, also where it has expired and nobody took it."""
        with self._database.transaction() as connection:
            return connection.execute(_RENEW, (period, token)).rowcount == 1

    @repeatable
    def is_held(self, token: int) -> bool:
        """Say whether the lease still holds."""
        with self._database.transaction() as connection:
            return is_held(connection, token)

    def release(self, token: int) -> None:
        """Give the lease back; one attempt, for it expires by itself."""
        with self._database.transaction() as connection:
            connection.execute(_RELEASE, (token,))

    def has_expired(self, partition: PartitionKey, space_slug: str) -> bool:
        """Say whether a run holds the partition's lease and has not renewed it in time."""
        with self._database.transaction() as connection:
            return connection.execute(_EXPIRED, _place(partition, space_slug)).rowcount > 0

    @repeatable
    def expired_runs(self) -> set[str]:
        """List the runs that hold an expired lease."""
        with self._database.transaction() as connection:
            return {row[0] for row in connection.execute(_EXPIRED_RUNS)}


def is_held(connection: Connection, token: int) -> bool:
    """Say whether the lease holds, and let nobody take it before the transaction ends."""
    return connection.execute(_HELD, (token,)).rowcount == 1


def require_held(connection: Connection, token: int) -> None:
    """Do the same, as a condition of the transaction.

    Raises:
        LeaseLost: it does not hold any more.
    """
    if not is_held(connection, token):
        raise LeaseLost


def _place(partition: PartitionKey, space_slug: str) -> dict[str, object]:
    return {"space": space_slug, **partition_parameters(partition)}
