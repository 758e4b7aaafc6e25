"""How much faster two nodes of one core each are than one, with Ray, Dagster and PostgreSQL as in a real cluster.

    python -m benchmarks.cluster_efficiency

The nodes are those of benchmarks/cluster_faults: network namespaces on this machine, each worker on a core of its own,
and the head on all of them. The time is that from the first start of a run to the end of the last one. Efficiency is
the speed of two nodes, divided by twice that of one. It needs root, Linux and the extra `ray`.
"""

import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click
import dagster as dg
import psutil

from benchmarks.cluster_faults.__main__ import SETTINGS, fill, opened
from benchmarks.cluster_faults.cluster import Cluster, a_cluster, wait_until
from benchmarks.cluster_faults.outcome import embedding_runs
from benchmarks.table import Table
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.services import Services

_SECONDS = 1800.0
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"


class _Measured(NamedTuple):
    seconds: float
    runs: int
    by_node: Mapping[str, int]
    connections: int
    server_share: float
    """Cores that the database server used on average."""


def _processor_seconds(server: psutil.Process) -> float:
    used = [process.cpu_times() for process in (server, *server.children(recursive=True))]
    return float(sum(times.user + times.system + times.children_user + times.children_system for times in used))


def _measure(
    cluster: Cluster, services: Services, instance: dg.DagsterInstance, partitions: int, chunks: int
) -> _Measured:
    assert cluster.server is not None
    before = _processor_seconds(cluster.server)
    started, connections = time.time(), 0
    fill(services, "annual_report", partitions, chunks)

    def is_over() -> bool:
        nonlocal connections
        with services.database.transaction() as connection:
            connections = max(connections, next(iter(connection.execute(_CONNECTIONS).fetchone() or (0,))))
        pending = sum(status.pending for status in services.status())
        return not pending and all(record.dagster_run.is_finished for record in embedding_runs(instance))

    wait_until("all is embedded", is_over, _SECONDS)
    runs = [record for record in embedding_runs(instance) if record.create_timestamp.timestamp() >= started]
    seconds = max(run.end_time or 0.0 for run in runs) - min(run.start_time or time.time() for run in runs)
    nodes = [run.dagster_run.tags["node"] for run in runs]
    by_node = {name: nodes.count(name) for name in sorted(set(nodes))}
    return _Measured(
        seconds,
        len(runs),
        by_node,
        connections,
        (_processor_seconds(cluster.server) - before) / (time.time() - started),
    )


@click.command()
@click.option("--partitions", default=40, show_default=True)
@click.option("--chunks", default=100, show_default=True, help="Of each partition.")
def main(partitions: int, chunks: int) -> None:
    """Measure one node, then two."""
    SETTINGS.pop("VECTOR_ASSETS_MAX_PARTITIONS_PER_RUN", None)
    table = Table("nodes", "seconds", "chunks/s", "efficiency", "runs", "connections", "server's cores", "load")
    single = 0.0
    for cores in (["0"], ["0", "1"]):
        with ExitStack() as stack:
            temporary = tempfile.TemporaryDirectory(prefix="va-", dir="/var/tmp", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
            cluster = stack.enter_context(a_cluster(folder, SETTINGS, list(cores)))
            services = stack.enter_context(opened(cluster, folder))
            cluster.start_ray(cluster.hosts.head, *cluster.hosts.workers)
            cluster.start_dagster()
            instance = stack.enter_context(open_instance(services))
            found = _measure(cluster, services, instance, partitions, chunks)
        speed = partitions * chunks / found.seconds
        single = single or speed
        runs = ", ".join(f"{count} on {name}" for name, count in found.by_node.items())
        efficiency = round(speed / len(cores) / single, 2)
        share, load = round(found.server_share, 2), round(os.getloadavg()[0], 1)
        table.add(len(cores), round(found.seconds), speed, efficiency, runs, found.connections, share, load)


if __name__ == "__main__":
    main()
