"""How long after a chunk was written, or a file has arrived, its vector is committed, while `vector-assets dev` runs.

Another program writes the chunks. Some of its transactions commit late: by then the clock of their chunks has run for a
while already. The files are small ones of companies that are new. Of the runs for the files, it also measures how long
after their launch the first batch was in Dagster's event log, from where a run's page shows it at once.
"""

import argparse
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import dagster as dg
import psycopg

from benchmarks.corpus import uniform_texts
from benchmarks.table import Table, add_json_option
from vector_assets.cli.demo import SAMPLES
from vector_assets.defs.jobs import vectorize
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

_DOCUMENT = """
INSERT INTO documents (market, doc_type, stock_code, source_uri, text, content_hash)
VALUES (%s, %s, %s, %s, 'by another program', '') RETURNING id
"""
_CHUNK = """
INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash)
VALUES (%s, '', '', '', %s, %s, '') RETURNING id
"""
_PENDING = "SELECT count(*) FROM pending_chunks"
_MADE = "SELECT chunk_id, extract(epoch FROM created_at) FROM chunk_vectors_{slug}"
_LONGEST_WAIT_SECONDS = 300.0
_SEARCH_PATH = "-c search_path=vector_assets,public"


class Program:
    """Another one that writes chunks: most of them at once, some in transactions that stay open for a while."""

    def __init__(self, url: str, texts: list[str], partitions: int, pick: random.Random) -> None:
        self._url, self._texts, self._pick = url, texts, pick
        self._open: list[tuple[psycopg.Connection, float, UUID]] = []
        self.committed: dict[UUID, float] = {}
        with psycopg.connect(url, options=_SEARCH_PATH) as connection:
            self._documents = [self._document(connection, number) for number in range(partitions)]
        self._written = 0

    def _document(self, connection: psycopg.Connection, number: int) -> UUID:
        key = PartitionKey(("us", "hk", "cn")[number % 3], "benchmark", f"S{number:05}")
        row = connection.execute(
            _DOCUMENT, (key.market, key.doc_type, key.stock_code, f"{key}/by-another-program")
        ).fetchone()
        assert row is not None
        id_: UUID = row[0]
        return id_

    def insert(self, late_seconds: float | None) -> None:
        """One chunk of any partition, committed at once or so much later."""
        connection = psycopg.connect(self._url, options=_SEARCH_PATH)
        document = self._pick.choice(self._documents)
        row = connection.execute(_CHUNK, (document, self._written, self._texts[self._written])).fetchone()
        assert row is not None
        self._written += 1
        self._open.append((connection, time.time() + (late_seconds or 0.0), row[0]))
        self.commit_due()

    def commit_due(self, everything: bool = False) -> None:
        """Those whose time has come."""
        for item in list(self._open):
            connection, due, chunk_id = item
            if everything or time.time() >= due:
                connection.commit()
                connection.close()
                self.committed[chunk_id] = time.time()
                self._open.remove(item)


class Arrivals(NamedTuple):
    """Seconds from the commit of each chunk, and from the arrival of each file, to its vector.

    And from the launch of each run for a file to its first batch.
    """

    chunks: list[float]
    files: list[float]
    first_batches: list[float]


def measure(home: Path, filings: Path, inserts: int, partitions: int, over_seconds: float, files: int) -> Arrivals:
    """Measure chunks, then files; asserts that no vector is missing."""
    pick = random.Random(0)
    with Services(load_settings(home=home, landing_dir=home / "landing")) as services:
        services.spaces.register_first(services.space)
        texts = uniform_texts(services, filings, inserts)
        url = services.url.set(drivername="postgresql").render_as_string(hide_password=False)
        (home / "landing").mkdir(exist_ok=True)
        dev = _start_dev(home)
        try:
            program = Program(url, texts, partitions, pick)
            for number in range(inserts):
                program.insert(pick.uniform(5, 40) if number % 5 == 0 else None)
                until = time.monotonic() + pick.expovariate(inserts / over_seconds)
                while time.monotonic() < until:
                    time.sleep(0.05)
                    program.commit_due()
            program.commit_due(everything=True)
            _wait_until_nothing_is_pending(services)
            with services.database.transaction() as connection:
                made = dict(connection.execute(_MADE.format(slug=services.embedder.space.slug)).fetchall())
            assert made.keys() == program.committed.keys(), "a chunk has no vector"
            seconds = [float(made[chunk_id]) - committed for chunk_id, committed in program.committed.items()]
            files_from = time.time()
            of_files = [_land(services, home / "landing", texts[number], number) for number in range(files)]
            first_batches = list(_first_batches(services, files_from))
        finally:
            dev.send_signal(signal.SIGTERM)
            dev.wait(60)
    return Arrivals(seconds, of_files, first_batches)


def _land(services: Services, landing: Path, text: str, number: int) -> float:
    """Put a file of a new company into the landing directory, and give the seconds until its vector is there."""
    folder = landing / "us" / "benchmark" / f"F{number:05}"
    folder.mkdir(parents=True)
    time.sleep(random.Random(number).uniform(0, 10))  # at any moment between two looks
    (folder / "filing.txt").write_text(text)
    arrived = time.time()
    query = _MADE.format(slug=services.embedder.space.slug) + " WHERE stock_code = %s"
    while time.time() - arrived < _LONGEST_WAIT_SECONDS:
        with services.database.transaction() as connection:
            made = connection.execute(query, (folder.name,)).fetchall()
        if made:
            return float(made[0][1]) - arrived
        time.sleep(0.2)
    raise AssertionError(f"{folder.name} has no vector")


def _first_batches(services: Services, since: float) -> Iterator[float]:
    """Of each run since then that embedded something: the seconds from its launch to its first batch."""
    with open_instance(services) as instance:
        for record in instance.get_run_records(dg.RunsFilter(job_name=vectorize.name)):
            launched = record.create_timestamp.timestamp()
            batches = {dg.DagsterEventType.ASSET_OBSERVATION}
            shown = instance.get_records_for_run(record.dagster_run.run_id, of_type=batches, limit=1).records
            if launched >= since and shown:
                yield shown[0].timestamp - launched


def _wait_until_nothing_is_pending(services: Services) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    while True:
        with services.database.transaction() as connection:
            row = connection.execute(_PENDING).fetchone()
        if row == (0,):
            return
        assert time.monotonic() < deadline, f"{row} chunks are still pending"
        time.sleep(0.5)


def _start_dev(home: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"VECTOR_ASSETS_HOME": str(home), "VECTOR_ASSETS_LANDING_DIR": str(home / "landing")}
    command = [sys.executable, "-m", "vector_assets.cli", "dev", "--port", "3987"]
    with (home / "dev.log").open("w") as log:
        dev = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)
    while not re.search(r"Dagster is at", (home / "dev.log").read_text()):
        assert dev.poll() is None, (home / "dev.log").read_text()
        time.sleep(0.2)
    return dev


def main() -> None:
    """Print the median, the 95th percentile and the longest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    parser.add_argument("--inserts", type=int, default=200)
    parser.add_argument("--partitions", type=int, default=20)
    parser.add_argument("--over-seconds", type=float, default=240.0, help="the inserts are spread over so long")
    parser.add_argument("--files", type=int, default=10)
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        how = (arguments.inserts, arguments.partitions, arguments.over_seconds, arguments.files)
        seconds, of_files, first_batches = measure(Path(home), arguments.filings, *how)
        leave_embedded_server(Path(home))
    columns = ("chunks", "partitions", "seconds from commit to vector (median)", "95 of 100 within", "longest")
    table = Table(*columns, json_file=arguments.json)
    within = statistics.quantiles(seconds, n=20)[-1]
    table.add(len(seconds), arguments.partitions, statistics.median(seconds), within, max(seconds))
    if of_files:
        print()
        table = Table("files", "seconds from arrival to vector (median)", "longest")
        table.add(len(of_files), statistics.median(of_files), max(of_files))
        print()
        table = Table("runs", "seconds from launch to first batch (median)", "longest")
        table.add(len(first_batches), statistics.median(first_batches), max(first_batches))


if __name__ == "__main__":
    main()
