"""One run at a time for a partition: an advisory lock that goes with the connection that holds it."""

import hashlib
import math
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psycopg

from ..domain.partition_keys import PartitionKey
from ..errors import DatabaseError, PartitionBusy
from ..translation import translate
from .connections import Backend, Connection, backend_of, end_backend, open_connection
from .database import Database
from .driver_errors import translated_errors

# A run that is just ending does not need longer to release its partition.
WAIT_SECONDS = 10.0
_BETWEEN_TRIES_SECONDS = 0.5
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

    A lock saves doing work twice. That nothing is stored wrongly does not depend on it: each commit checks that.
    """

    def __init__(self, database: Database, wait_seconds: float = WAIT_SECONDS) -> None:
        self._database = database
        self._wait_seconds = wait_seconds

    @contextmanager
    def held(self, partition: PartitionKey, space_slug: str, run_id: str) -> Iterator["PartitionLock"]:
        """Hold the partition; the database releases it by itself if this process dies.

        Raises:
            PartitionBusy: another run holds it and did not end within the wait.
            DatabaseError: the database could not be asked.
        """
        lock = PartitionLock(self._database, partition, space_slug, run_id)
        try:
            self._database.repeat(lambda: lock.take(self._wait_seconds))
            yield lock
        finally:
            lock.release()


class PartitionLock:
    """The lock of one run on one partition, on a connection of its own."""

    def __init__(self, database: Database, partition: PartitionKey, space_slug: str, run_id: str) -> None:
        self._database = database
        self._partition = partition
        self._run_id = run_id
        self._numbers = _LockNumbers.of(space_slug, partition)
        self._connection: Connection | None = None
        self._backend: Backend | None = None
        self._look_at = 0.0

    def take(self, wait_seconds: float) -> None:
        """Take the lock, or try again for so long; a wait in the server could not be interrupted.

        Raises:
            PartitionBusy: another run held it the whole time.
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
                if time.monotonic() >= deadline or self._database.retries.ended.is_set():
                    raise PartitionBusy(str(self._partition), self._holder(self._connection), wait_seconds)
                self._database.retries.pause(_BETWEEN_TRIES_SECONDS)
        self._look_at = time.monotonic() + _BETWEEN_LOOKS_SECONDS

    def warning(self) -> str | None:
        """Check every few seconds whether the lock is held, and take it again if it was lost with its connection.

        Returns a line to report when that happened. It never raises, for the work is right without the lock.
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
        except PartitionBusy as error:
            self._look_at = math.inf
            return translate(
                "the connection that held {partition} for this run was lost, and {holder} holds it now. Both runs go "
                "on: no vector is stored wrongly, some are made twice.",
                partition=self._partition,
                holder=error.holder,
            )
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

    def release(self) -> None:
        """Release the partition. If the server is away, there is nothing to release."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
