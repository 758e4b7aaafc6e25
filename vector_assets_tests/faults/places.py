"""Where a fault is tried: two thousand chunks, a run recorded by Dagster on PostgreSQL, and what must hold after it."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import dagster as dg
import psutil
import psycopg
from sqlalchemy import URL

from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.defs.sensors import new_chunks_sensor
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.run_results import RunResult
from vector_assets.ports import ProgressListener
from vector_assets.storage.connection_pool import POOL_NAME
from vector_assets.storage.retries import Retries

from ..defs.test_sensors import requested, tick
from ..embedding.remote.served_embedder import ServedEmbedder
from ..fakes import KEY, SPACE, FakeServices, HashEmbedder, store_chunks
from ..forked_programs import ForkedProgram
from ..invariants import Findings, check_invariants
from ..storage.servers import connect

CHUNKS = 2000
BATCH_SIZE = 32
VECTORS = f"chunk_vectors_{SPACE.slug}"
# Nothing here takes so long; a test that waits for longer waits for what will never come.
SECONDS = 180.0

# Clients of the product's database and of Dagster's beside it. An advisory lock is held by one of them or by nobody.
_SESSIONS = """
SELECT datname, application_name, state, query FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = ANY(%s)
"""


def texts(count: int = CHUNKS) -> list[str]:
    """Of many lengths, each once."""
    return [" ".join(["word"] * (number % 7 + 1)) + f" {number}" for number in range(count)]


@dataclass(frozen=True)
class Place:
    """A database, a home and a directory for temporary files, which the processes of a test share.

    `server` is the address of the server that embeds; without it this machine does.
    """

    url: URL
    home: Path
    landing: Path
    temporary: Path
    server: str = ""

    def embedder(self) -> HashEmbedder:
        """An embedder that takes no time."""
        return ServedEmbedder(self.server) if self.server else HashEmbedder()

    def services(self, embedder: HashEmbedder | None = None, retries: Retries | None = None) -> FakeServices:
        """The real services, with an embedder that takes no time."""
        return FakeServices(self.url, self.home, self.landing, embedder or self.embedder(), retries)

    def fill(self, count: int = CHUNKS, key: PartitionKey = KEY) -> None:
        """Pending chunks of one document, as ingestion would write them."""
        with self.services() as services:
            store_chunks(services.database, texts(count), key)

    def fill_by_another_program(self, count: int = CHUNKS) -> None:
        """The same, of a document that no file of ours has anything to do with."""
        self.fill(count)
        with program(self) as connection:
            connection.execute("UPDATE documents SET fingerprint = ''")

    def started_run(self, point: str, number: int) -> ForkedProgram:
        """A run in a process of its own, at work in the same place; see started_services.py."""
        return ForkedProgram(f"{__package__}.started_services", *self.run_arguments(point, number))

    def run_arguments(self, point: str, number: int) -> list[str]:
        """Return the arguments of started_services.py."""
        url = self.url.render_as_string(hide_password=False)
        return [url, str(self.home), str(self.landing), point, str(number), self.server]

    def check_nothing_left(self) -> None:
        """No thread, no session with its locks, no temporary file. Threads and sessions end within a moment."""
        eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith(("vector-assets-", POOL_NAME))])
        # A code server of Dagster's that is killed leaves its socket, which is nothing but a name.
        left = [path.name for path in self.temporary.iterdir() if not path.is_socket()]
        assert left == [], str(left)
        databases = [self.url.database, f"{self.url.database}_dagster"]
        with administrator(self.url) as connection:
            eventually(lambda: connection.execute(_SESSIONS, (databases,)).fetchall() == [])


def administrator(url: URL) -> psycopg.Connection:
    """An autocommit connection to the server, in no database of ours."""
    return connect(url.set(database="postgres"))


def program(place: Place) -> psycopg.Connection:
    """Another one that uses the product's database; what it does is committed when it leaves."""
    connection = connect(place.url)
    connection.autocommit = False
    return connection


def eventually(holds: Callable[[], bool]) -> None:
    """Look until it holds: for what another process does in its own time and tells nobody of."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)


def run(
    services: FakeServices, listener: ProgressListener | None = None, config: Mapping[str, Any] | None = None
) -> RunResult:
    """A recorded run over the partition, each batch with its event."""
    with recorded_runs(services, listener or SilentListener()) as runs:
        runs.prepare([KEY])
        settings = {"batch_size": BATCH_SIZE, "progress_interval_seconds": 0.0, **(config or {})}
        return runs.run(KEY, [VECTORIZED_CHUNKS], settings)


def asked_for(services: FakeServices, later: timedelta = timedelta(0)) -> list[str]:
    """The partitions for which the sensor requests runs, so much later."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Self:
            return super().now(tz) + later

    with patch("vector_assets.defs.sensors.datetime", Later), recorded_runs(services, SilentListener()):
        return requested(tick(new_chunks_sensor, dg.DagsterInstance.get(), services))


def finish(place: Place, pending: int | None = None, later: timedelta = timedelta(seconds=70)) -> Findings:
    """What comes after a fault: all is whole, the sensor asks for the rest, and one run embeds that and nothing else.

    Gives what was found before the run. `pending` is how many chunks must be, if that is known; `later` is when the
    sensor looks: a minute after a failed run.
    """
    with place.services() as services:
        found = check_invariants(services.database, HashEmbedder(services.embedder.space))
        assert pending is None or len(found.pending) == pending
        assert asked_for(services, later) == ([str(KEY)] if found.pending else [])

        result = run(services)

        assert result.error is None
        twice = [text for text, times in Counter(services.embedder.embedded).items() if times > 1]
        assert twice == []
        assert len(services.embedder.embedded) <= len(found.pending)
        # What a server had answered before is not asked for again.
        assert len(services.embedder.embedded) == len(found.pending) or place.server
        check_all_is_told_alike(services, result)
        assert asked_for(services, later) == []
    place.check_nothing_left()
    return found


def check_all_is_told_alike(services: FakeServices, result: RunResult) -> None:
    """Nothing is pending; the rows, the status and the run's result have the same numbers."""
    after = check_invariants(services.database, HashEmbedder(services.embedder.space))
    assert after.pending == []
    counts = (len(after.current), 0, len(after.quarantined))
    for status in (result.status, services.coverage.partition_status(KEY, services.embedder.space.slug)):
        assert status is not None
        assert (status.current, status.pending, status.quarantined) == counts


def once(number: int, act: Callable[[], None]) -> Callable[[Sequence[str]], None]:
    """For `HashEmbedder.before`: do something once, while a batch is embedded."""
    seen = 0

    def before(_: Sequence[str]) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            act()

    return before


def is_at_work(process: psutil.Process) -> bool:
    """Whether it has not ended; a process that has may be listed until its parent takes note."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
