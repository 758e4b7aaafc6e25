"""Builds and drops the indexes of a space, in a session of its own that one process has at a time."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg
from psycopg import sql

from ..errors import IndexBuildRunning
from ..vector_index.build_progress import BuildPhase, BuildSample
from ..vector_index.forecast import BuildForecast
from .connections import Connection, open_connection
from .database import Database
from .database_url import is_embedded
from .driver_errors import translated_errors
from .nearest_vectors import always_true
from .spaces import vectors_table
from .vector_indexes import index_name

# A build takes longer than any limit of an administrator. It ends with its client, which the server would otherwise
# notice at the end; and its wait for other transactions is seen, not interrupted.
_SETTINGS = """
SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false),
       set_config('idle_session_timeout', '0', false), set_config('client_connection_check_interval', '2s', false),
       set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
       set_config('tcp_keepalives_count', '3', false)
"""
_BRIEFLY = "SET lock_timeout = '2s'"
_MEMORY = "SELECT set_config('maintenance_work_mem', %s, false)"
_WORKERS = "SELECT set_config('max_parallel_maintenance_workers', %s, false)"
_LOCK = "hashtext('vector_assets: vector index'), hashtext(%(space)s)"
_TRY: LiteralString = f"SELECT pg_try_advisory_lock({_LOCK})"
_HOLDER: LiteralString = f"""
SELECT a.application_name, a.pid
FROM (SELECT {_LOCK}) n (first, second)
JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
     AND (l.classid::bigint, l.objid::bigint) = (n.first::bigint & 4294967295, n.second::bigint & 4294967295)
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
JOIN pg_stat_activity a USING (pid)
"""
_CREATE: LiteralString = """
CREATE INDEX CONCURRENTLY {index} ON {table} USING hnsw (embedding halfvec_cosine_ops)
WITH (m = {links}, ef_construction = {candidates}) WHERE {always_true}
"""
_DROP: LiteralString = "DROP INDEX CONCURRENTLY IF EXISTS {index}"
_PROGRESS = """
SELECT p.phase, p.blocks_done, p.blocks_total, p.tuples_done,
       ARRAY(SELECT a.pid FROM pg_stat_activity a WHERE a.pid = p.pid OR a.leader_pid = p.pid)
FROM pg_stat_progress_create_index p WHERE p.pid = %s
"""

_LOOK_SECONDS = 0.5
# An embedded server shares its processors with the embedder, which goes first: the build has half of them at most.
_NICE = 10


class IndexBuilds:
    """The `IndexBuilding` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def held(self, slug: str) -> Iterator["IndexBuild"]:
        """Hold the indexes of a space, so that nobody else builds or drops them. They are released with the session.

        Raises:
            IndexBuildRunning: another process holds them.
        """
        with translated_errors(self._database.url):
            name = f"vector_assets index {slug}"
            connection = open_connection(
                self._database.url, self._database.retries, self._database.schema, application_name=name
            )
        try:
            with translated_errors(self._database.url):
                connection.execute(_SETTINGS)
                if connection.execute(_TRY, {"space": slug}).fetchone() != (True,):
                    row = connection.execute(_HOLDER, {"space": slug}).fetchone()
                    raise IndexBuildRunning(slug, f"{row[0]} (server process {row[1]})" if row else "another process")
            yield IndexBuild(self._database, connection, slug)
        finally:
            with suppress(psycopg.Error):
                connection.close()


class IndexBuild:
    """The session that holds the indexes of a space."""

    def __init__(self, database: Database, connection: Connection, slug: str) -> None:
        self._database = database
        self._connection = connection
        self._slug = slug
        self._spilled = threading.Event()
        self._failure: BaseException | None = None
        connection.add_notice_handler(self._heed)

    def create(self, generation: int, forecast: BuildForecast) -> Iterator[BuildSample]:
        """Build an index, and give how far it is every half second; other sessions go on reading and writing.

        Whoever stops asking cancels the build. What a failed build leaves is dropped, if nobody is in the way.

        Raises:
            DatabaseError: the build failed, e.g. DatabaseFull.
        """
        statement = sql.SQL(_CREATE).format(
            index=sql.Identifier(index_name(self._slug, generation)),
            table=vectors_table(self._slug),
            links=sql.Literal(forecast.graph.links),
            candidates=sql.Literal(forecast.graph.candidates),
            always_true=always_true(generation),
        )
        with translated_errors(self._database.url):
            self._connection.execute(_MEMORY, (f"{-(-forecast.granted_bytes // 1024)}kB",))
            if is_embedded(self._database.url):
                self._connection.execute(_WORKERS, (str(max((os.cpu_count() or 1) // 2 - 1, 0)),))
        self._spilled.clear()
        builder = threading.Thread(target=self._execute, args=(statement,), name="vector_assets index build")
        builder.start()
        try:
            while builder.is_alive():
                builder.join(_LOOK_SECONDS)
                if (sample := self._sample()) is not None:
                    yield sample
            if self._failure is not None:
                with translated_errors(self._database.url):
                    raise self._failure
        except BaseException:
            self._cancel(builder)
            with suppress(psycopg.Error):  # where others are in the way, the next one to hold the indexes drops it
                self._connection.execute(_BRIEFLY)
                self._connection.execute(self._drop_statement(generation))
            raise

    def drop(self, generation: int) -> None:
        """Drop an index, whole or not; searches that read it are waited for."""
        with translated_errors(self._database.url):
            self._connection.execute(self._drop_statement(generation))

    def _drop_statement(self, generation: int) -> sql.Composed:
        return sql.SQL(_DROP).format(index=sql.Identifier(index_name(self._slug, generation)))

    def _execute(self, statement: sql.Composed) -> None:
        try:
            self._connection.execute(statement)
        except psycopg.Error as error:  # it is raised where the samples are asked for
            self._failure = error

    def _cancel(self, builder: threading.Thread) -> None:
        while builder.is_alive():
            with suppress(psycopg.Error):
                self._connection.cancel_safe()
            builder.join(1.0)

    def _sample(self) -> BuildSample | None:
        """Read how far the build is, over another connection; None before it has begun and after it has ended."""
        with self._database.transaction() as connection:
            row = connection.execute(_PROGRESS, (self._connection.info.backend_pid,)).fetchone()
        if row is None:
            return None
        phase, blocks_done, blocks_total, tuples_done, processes = row
        if is_embedded(self._database.url):
            _be_nice(processes)
        return BuildSample(_phase(phase), blocks_done, blocks_total, tuples_done, self._spilled.is_set())

    def _heed(self, notice: psycopg.errors.Diagnostic) -> None:
        """Pgvector announces the moment at which the graph no longer fits, by a notice without a code."""
        if "maintenance_work_mem" in (notice.message_primary or ""):
            self._spilled.set()


def _phase(name: str) -> BuildPhase:
    if name.startswith("building index"):
        return BuildPhase.BUILDING
    return BuildPhase.VALIDATING if name.startswith("index validation") else BuildPhase.WAITING


def _be_nice(processes: list[int]) -> None:
    """Let the build's processes give way to others on this machine, as far as this process may decide that."""
    import psutil

    for pid in processes:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.nice() < _NICE:
                process.nice(_NICE)
