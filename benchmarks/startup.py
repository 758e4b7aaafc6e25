"""Seconds from the start of a process to the first line of a command's answer, or to the first committed batch.

The batch has 10 pending chunks, as a library and through Dagster with its storage on PostgreSQL. The model is converted
already. With the embedded server running (another process holds it), and with the server to be started first.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.corpus import store
from benchmarks.table import Table, add_json_option
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

_KEY = PartitionKey("us", "benchmark", "STARTUP")

_LIBRARY = f"""
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.settings import load_settings
from vector_assets.services import Services
with Services(load_settings()) as services:
    key = PartitionKey.parse("{_KEY}")
    services.vectorizer().vectorize_partition(key, True, lambda batch: print("committed", flush=True))
"""

_DAGSTER = f"""
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.resources import SilentListener
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.settings import load_settings
from vector_assets.services import Services

class ProgressListener(SilentListener):
    def batch(self, partition, progress):
        print("committed", flush=True)

key = PartitionKey.parse("{_KEY}")
with Services(load_settings()) as services, recorded_runs(services, ProgressListener()) as runs:
    runs.prepare([key])
    assert runs.run(key, [VECTORIZED_CHUNKS], {{"force_revectorize": True}}).error is None
"""


def seconds_to_commit(home: str, program: str) -> float:
    """Measure from the start of the process to its line that a batch is committed."""
    before = time.perf_counter()
    environment = os.environ | {"VECTOR_ASSETS_HOME": home}
    with subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "committed\n"
        seconds = time.perf_counter() - before
    assert child.returncode == 0
    return seconds


_COMMANDS = (("--help",), ("status",), ("failures",), ("search", "net sales of the segment"))


def seconds_to_answer(home: str, arguments: tuple[str, ...]) -> float:
    """Measure from the start of a command to its first line."""
    command = [sys.executable, "-m", "vector_assets.cli", *arguments]
    environment = os.environ | {"VECTOR_ASSETS_HOME": home}
    before = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline()
        seconds = time.perf_counter() - before
        child.stdout.read()  # a command whose reader has gone fails
    assert child.returncode == 0
    return seconds


def main() -> None:
    """Print the seconds of each round and their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    add_json_option(parser)
    arguments = parser.parse_args()
    table = Table("what", "server", "seconds (each round)", "median", json_file=arguments.json)
    with tempfile.TemporaryDirectory() as home:
        with Services(load_settings(home=Path(home))) as services:
            store(services, _KEY, [f"net sales of segment {number} rose by four percent" for number in range(10)])
            services.vectorizer().vectorize_partition(_KEY)
            programs = {"library": _LIBRARY, "through Dagster": _DAGSTER}
            _rounds(table, "running", programs, home, arguments.rounds)
        leave_embedded_server(Path(home))
        _rounds(table, "to be started", programs, home, arguments.rounds)


def _rounds(table: Table, server: str, programs: dict[str, str], home: str, rounds: int) -> None:
    for arguments in _COMMANDS:
        found = [seconds_to_answer(home, arguments) for _ in range(rounds)]
        table.add(f"vector-assets {arguments[0]}", server, found, statistics.median(found))
    for name, program in programs.items():
        found = [seconds_to_commit(home, program) for _ in range(rounds)]
        table.add(name, server, found, statistics.median(found))


if __name__ == "__main__":
    main()
