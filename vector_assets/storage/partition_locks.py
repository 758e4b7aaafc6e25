"""One run at a time for a partition: an advisory lock that goes with the connection that holds it."""

import hashlib
import math
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import NamedTuple

import psycopg

from ..domain.partition_keys import PartitionKey
from ..errors import DatabaseError, LeaseLost, PartitionBusy
from ..translation import translate
from .connections import Backend, Connection, backend_of, end_backend, open_connection
from .database import Database
from .driver_errors import translated_errors
from .lease_heartbeat import heartbeat
from .leases import PostgresLeases

# A run that is just ending does not need longer to release its partition.
WAIT_SECONDS = 10.0
_BETWEEN_TRIES_SECONDS = 0.5
# A run is silent for seconds while a model is loaded or a server restarts; a run that is silent for longer is lost.
LEASE_SECONDS = 60.0
# Often enough to be reported during the run, too seldom to cost it speed.
_BETWEEN_LOOKS_SECONDS = 5.0

# The lock's connection is idle while the run works, so no limit of an administrator may end it for that; and when its
# machine is gone, the server notices within a minute instead of hours.
_SETTINGS = """
SELECT set_config('idle_session_timeout', '0', false), set_config('tcp_keepalives_idle', '30', false),
       set_config('tcp_keepalives_interval', '10', false), set_config('tcp_keepalives_count', '3', false)
"""
# Take the lock if it is free; never waits.
_TRY = "SELECT pg_try_advisory_lock(%s, %s)"
# Who holds the lock. pg_locks shows the two numbers of a lock as unsigned ones. The server truncates names to 63 bytes.
_HOLDER = """
SELECT a.application_name, a.pid
FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = %s::bigint::oid AND l.objid = %s::bigint::oid
"""
# End the session of a run that has shown no sign of life for as long as its lease held, and with it the lock.
_END_HOLDER = """
SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks l
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = %s::bigint::oid AND l.objid = %s::bigint::oid
"""


class _LockNumbers(NamedTuple):
    """The lock's number in PostgreSQL: two int4."""

    first: int
    second: int

    @classmethod
    def of(cls, space_slug: str, partition: PartitionKey) -> "_LockNumbers":
        """Hash the partition and the space, with this project's name: other programs have locks in the database too."""
        digest = hashlib.sha256(f"vector_assets run\0{space_slug}\0{partition}".encode()).digest()
        return cls(*struct.unpack(">ii", digest[:8]))

    def unsigned(self) -> tuple[int, int]:
        return self.first & 0xFFFFFFFF, self.second & 0xFFFFFFFF


class PartitionLocks:
    """Locks partitions for runs, each for one run at a time.

    The lock is free as soon as its process has died. The lease that comes with it is what a commit checks: a run that
    is cut off or stopped keeps its lock, but loses the partition when its lease expires.
    """

    def __init__(
        self, database: Database, wait_seconds: float = WAIT_SECONDS, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._database = database
        self._wait_seconds = wait_seconds
        self._period = timedelta(seconds=lease_seconds)

    @contextmanager
    def held(
        self, partition: PartitionKey, space_slug: str, run_id: str, has_ended: Callable[[], bool] = lambda: False
    ) -> Iterator["PartitionLock"]:
        """Hold the partition; the database releases it by itself if this process dies.

        It is given up, too, when the run `has_ended` for whoever started it; that is asked in another thread.

        Raises:
            PartitionBusy: another run holds it and did not end within the wait.
            DatabaseError: the database could not be asked.
        """
        lock = PartitionLock(self._database, partition, space_slug, run_id, self._period)
        try:
            self._database.repeat(lambda: lock.take(self._wait_seconds))
            with heartbeat(lock.leases, lock.lease, self._period, has_ended, lock.release):
                yield lock
        finally:
            lock.give_back()


class PartitionLock:
    """The lock of one run on one partition, on a connection of its own, and the lease that goes with it."""

    def __init__(
        self, database: Database, partition: PartitionKey, space_slug: str, run_id: str, period: timedelta
    ) -> None:
        self._database = database
        self._partition = partition
        self._run_id = run_id
        self._space_slug = space_slug
        self._period = period
        self._token: int | None = None
        self.leases = PostgresLeases(database)
        self._numbers = _LockNumbers.of(space_slug, partition)
        self._connection: Connection | None = None
        self._backend: Backend | None = None
        self._look_at = 0.0

    @property
    def lease(self) -> int:
        """The token of the lease."""
        assert self._token is not None, "the lock was taken"
        return self._token

    def require(self) -> None:
        """Check that the partition is still this run's.

        Raises:
            LeaseLost: it is not.
        """
        if not self.leases.is_held(self.lease):
            raise LeaseLost

    def take(self, wait_seconds: float) -> None:
        """Take the lock, or try again for so long; a wait in the server could not be interrupted.

        Raises:
            PartitionBusy: another run held it the whole time.
            LeaseLost: this run held it before, and another one has taken it since.
        """
        self.release()
        deadline = time.monotonic() + wait_seconds
        with translated_errors(self._database.url):
            self._connection = open_connection(
                self._database.url, self._database.retries, application_name=f"vector_assets run {self._run_id}"
            )
            self._connection.execute(_SETTINGS)
            if self._backend is not None:  # it may not have noticed the lost connection, and still hold the lock
                end_backend(self._connection, self._backend)
            self._backend = backend_of(self._connection)
            while not self._try(self._connection):
                if self.leases.has_expired(self._partition, self._space_slug):
                    self._connection.execute(_END_HOLDER, self._numbers.unsigned())
                    if self._try(self._connection):
                        break
                if time.monotonic() >= deadline or self._database.retries.ended.is_set():
                    raise PartitionBusy(str(self._partition), self._holder(self._connection), wait_seconds)
                self._database.retries.pause(_BETWEEN_TRIES_SECONDS)
        self._take_lease()
        self._look_at = time.monotonic() + _BETWEEN_LOOKS_SECONDS

    def _take_lease(self) -> None:
        if self._token is None:
            self._token = self.leases.take(self._partition, self._space_slug, self._run_id, self._period)
        elif not self.leases.renew(self._token, self._period):
            self.release()
            raise LeaseLost

    def warning(self) -> str | None:
        """Check every few seconds whether the lock is held, and take it again if it was lost with its connection.

        Returns a line to report when that happened. It never raises: whether the lease was lost too, the next commit
        says.
        """
        if time.monotonic() < self._look_at:
            return None
        self._look_at = time.monotonic() + _BETWEEN_LOOKS_SECONDS
        with suppress(psycopg.Error):
            if self._connection is not None:
                self._connection.execute("SELECT 1")
                return None
        return self._take_again()

    def _take_again(self) -> str | None:
        try:
            self.take(wait_seconds=0.0)
        except (PartitionBusy, LeaseLost):
            self._look_at = math.inf
            return None
        except DatabaseError:
            return None  # the next check tries again
        return translate(
            "the connection that held {partition} for this run was lost; it is held again", partition=self._partition
        )

    def _try(self, connection: Connection) -> bool:
        row = connection.execute(_TRY, self._numbers).fetchone()
        return row is not None and bool(row[0])

    def _holder(self, connection: Connection) -> str:
        """Name the holder, e.g. `vector_assets run 0b1c...`, with the server's process."""
        row = connection.execute(_HOLDER, self._numbers.unsigned()).fetchone()
        return f"{row[0] or 'a program without a name'} (server process {row[1]})" if row else "a run that just ended"

    def give_back(self) -> None:
        """Release the partition with its lease, which expires by itself if the server is away."""
        if self._token is not None:
            with suppress(DatabaseError):
                self.leases.release(self._token)
        self.release()

    def release(self) -> None:
        """Release the partition. If the server is away, there is nothing to release."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
