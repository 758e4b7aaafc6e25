"""How long looking takes where there is much: `vector-assets status`, what is pending, and a sensor's tick.

The tables are filled with synthetic rows first, which takes a few minutes and 8 GB for the default 5,000,000 chunks.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from benchmarks.synthetic import add_shape_options, fill, shape_of, teller
from benchmarks.table import Table, add_json_option
from vector_assets.defs.partitions import register
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.defs.sensors import new_chunks_sensor
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server


def status_command(home: Path, *options: str) -> Callable[[], object]:
    """As a person calls it, from the start of the process to its end."""
    command = [sys.executable, "-m", "vector_assets.cli", "status", *options]
    environment = os.environ | {"VECTOR_ASSETS_HOME": str(home)}
    return lambda: subprocess.run(command, env=environment, check=True, capture_output=True)


def tick(instance: dg.DagsterInstance, services: Services) -> object:
    """What the sensor's function gives; asking Dagster for the runs that it requests is not in it."""
    from vector_assets.definitions import defs

    context = dg.build_sensor_context(
        instance=instance, definitions=defs, resources={"vector_assets_services": services}
    )
    return new_chunks_sensor(context)


def seconds_of(act: Callable[[], object], rounds: int) -> float:
    """The median."""
    seconds = []
    for _ in range(rounds):
        before = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - before)
    return statistics.median(seconds)


def measure(home: Path, rounds: int, table: Table) -> None:
    """A row for each."""
    with Services(load_settings(home=home)) as services, open_instance(services) as instance:
        register(instance, [status.partition for status in services.status()])
        acts = {
            "vector-assets status": status_command(home),
            "vector-assets status --json": status_command(home, "--json"),
            "partitions with pending chunks": services.pending_partitions,
            "a tick of the sensor": lambda: tick(instance, services),
        }
        for name, act in acts.items():
            table.add(name, seconds_of(act, rounds))
        found = tick(instance, services)
        requests = len(found.run_requests or []) if isinstance(found, dg.SensorResult) else 0
        print(f"{len(services.pending_partitions()):,} partitions have pending chunks; a tick requests {requests} runs")


def main() -> None:
    """Print the median of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="one that benchmarks.synthetic has filled; default: fill a new one")
    parser.add_argument("--rounds", type=int, default=5)
    add_shape_options(parser)
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = arguments.home or Path(folder)
        if arguments.home is None:
            with Services(load_settings(home=home)) as services:
                services.spaces.register_first(services.space)
                fill(services.database, services.space, shape_of(arguments), teller())
        measure(home, arguments.rounds, Table("what", "seconds (median)", json_file=arguments.json))
        if arguments.home is None:
            leave_embedded_server(home)


if __name__ == "__main__":
    main()
