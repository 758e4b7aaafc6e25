"""Break parts of a Ray cluster of three hosts at work, and say what became of the runs and of the vectors.

    python -m benchmarks.cluster_faults run raylet link head cluster server daemon code-server model disk

The hosts are network namespaces on this machine: a head with PostgreSQL, Dagster and Ray's head, and two workers that
take one run of one core each. All faults come to one cluster, one after another. It needs root, Linux and the extra
`ray`.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import click
import dagster as dg
import psutil
from sqlalchemy.exc import SQLAlchemyError

from benchmarks.cluster_faults.cluster import Cluster, a_cluster, wait_until
from benchmarks.cluster_faults.faults import FAULTS, Fault, Work, full_disk
from benchmarks.cluster_faults.outcome import embedding_runs, outcome
from benchmarks.corpus import store
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.defs.runtime.run_processes import NODE_TAG, PROCESS_TAG
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import VectorAssetsError
from vector_assets.services import Services
from vector_assets.settings import load_settings

_MODEL = "all-MiniLM-L6-v2"
_TEXT = "net sales of the segment rose by four percent while costs fell and the margin of the quarter grew " * 9
_SECONDS = 600.0
# A lease that expires soon makes the trials short; the shipped one is 60 s.
SETTINGS = {
    "EMBEDDING_MODEL": _MODEL,
    "VECTOR_ASSETS_LEASE_SECONDS": "20",
    "VECTOR_ASSETS_MAX_PARTITIONS_PER_RUN": "1",
}


@contextmanager
def opened(cluster: Cluster, home: Path) -> Iterator[Services]:
    """Open the cluster's services in this process, outside of the hosts."""
    os.environ.update(
        SETTINGS,
        VECTOR_ASSETS_HOME=str(home),
        VECTOR_ASSETS_DATABASE_URL=cluster.local_url,
        DAGSTER_HOME=str(home / "dagster"),
    )
    os.environ.pop("VECTOR_ASSETS_DAGSTER_DATABASE_URL", None)
    with Services(load_settings(home=home)) as services:
        _ = services.dagster_url  # makes its database
        yield services


def fill(services: Services, doc_type: str, partitions: int, chunks: int) -> None:
    """Store partitions of so many chunks, which are pending then."""
    for number in range(partitions):
        key = PartitionKey("us", doc_type, f"XGEN{number:03}")
        store(services, key, [f"{doc_type} {number} {index} {_TEXT}" for index in range(chunks)])


def _work(cluster: Cluster, services: Services, instance: dg.DagsterInstance) -> Work:
    """Find a run that has stored vectors; the second worker's, where both have one."""
    with services.database.transaction() as connection:
        space = services.spaces.serving()
        if space is None:
            raise LookupError
        found = connection.execute(f"SELECT DISTINCT run_id FROM chunk_vectors_{space.slug}").fetchall()
    stored = {row[0] for row in found}
    for record in embedding_runs(instance):
        run = record.dagster_run
        if run.status == dg.DagsterRunStatus.STARTED and run.run_id in stored:
            _, pid, _, _ = json.loads(run.tags[PROCESS_TAG])
            worker = next(host for host in cluster.hosts.workers if host.name == run.tags[NODE_TAG])
            return Work(run.run_id, psutil.Process(pid), worker)
    raise LookupError


class _Watch:
    """Notes when the status of a run changes."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        self._instance, self._run_id, self._began = instance, run_id, time.monotonic()
        self._seen: list[str] = []
        self._last = ""

    def look(self) -> None:
        """Read it once."""
        run = self._instance.get_run_by_id(self._run_id)
        status = run.status.value if run else "gone"
        if status != self._last:
            self._last = status
            self._seen.append(f"{status} after {time.monotonic() - self._began:.0f} s")

    def line(self) -> str:
        """Format what was noted."""
        return ", ".join(self._seen)


def _try(
    fault: Fault, cluster: Cluster, services: Services, instance: dg.DagsterInstance, partitions: int, chunks: int
) -> str:
    began = time.time()
    with _second_worker_as(fault, cluster):
        fill(services, fault.name, partitions, chunks)
        work = _wait_for_work(cluster, services, instance)
        watch = _Watch(instance, work.run_id)
        fault.begin(cluster, work)
        _watch_for(watch, fault.seconds)
        fault.repair(cluster, work)
        taken = wait_until("all is done", lambda: _is_over(watch, services, instance, work), _SECONDS)
    found = outcome(services, instance, began)
    invariants = "the invariants hold" if found.holds and not found.pending else "an invariant is broken"
    load = f"the machine's load {os.getloadavg()[0]:.1f}"
    total = fault.seconds + taken
    return f"{fault.name}: the run {watch.line()}; all done after {total:.0f} s, {load}; {found.line()}; {invariants}"


@contextmanager
def _second_worker_as(fault: Fault, cluster: Cluster) -> Iterator[None]:
    """Have a worker with the fault's settings and disk, where it has any, while the block runs."""
    if not fault.settings and not fault.full_disk:
        yield
        return
    second = cluster.hosts.workers[1]
    cluster.stop_ray(second)
    with full_disk(cluster.home_of(second)) if fault.full_disk else nullcontext():
        cluster.own_settings[second.name] = dict(fault.settings)
        cluster.start_ray(second)
        yield
        cluster.stop_ray(second)
    cluster.own_settings.clear()
    cluster.start_ray(second)


def _wait_for_work(cluster: Cluster, services: Services, instance: dg.DagsterInstance) -> Work:
    found: list[Work] = []

    def look() -> bool:
        try:
            found.append(_work(cluster, services, instance))
        except (LookupError, psutil.NoSuchProcess):
            return False
        return True

    wait_until("a run at work", look, _SECONDS)
    return found[-1]


def _watch_for(watch: _Watch, seconds: float) -> None:
    until = time.monotonic() + seconds
    watch.look()
    while time.monotonic() < until:
        watch.look()
        time.sleep(0.5)


def _is_over(watch: _Watch, services: Services, instance: dg.DagsterInstance, work: Work) -> bool:
    """Say whether nothing is pending, no run is under way, and the process that was hit has ended."""
    try:
        watch.look()
        ended = all(record.dagster_run.is_finished for record in embedding_runs(instance))
        pending = sum(status.pending for status in services.status())
    except (VectorAssetsError, SQLAlchemyError):  # the server starts again
        return False
    return ended and not pending and not work.process.is_running()


@click.command()
@click.argument("faults", nargs=-1, required=True, type=click.Choice(list(FAULTS)))
@click.option("--partitions", default=6, show_default=True)
@click.option("--chunks", default=500, show_default=True, help="Of each partition.")
def main(faults: tuple[str, ...], partitions: int, chunks: int) -> None:
    """Try each fault."""
    with ExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="va-", dir="/var/tmp", ignore_cleanup_errors=True)
        )
        folder = Path(name)
        cluster = stack.enter_context(a_cluster(folder, SETTINGS, ["0", "1"]))
        services = stack.enter_context(opened(cluster, folder))
        cluster.start_ray(cluster.hosts.head, *cluster.hosts.workers)
        cluster.start_dagster()
        instance = stack.enter_context(open_instance(services))
        for fault in faults:
            try:
                print(_try(FAULTS[fault], cluster, services, instance, partitions, chunks), flush=True)
            except (TimeoutError, LookupError, OSError, VectorAssetsError) as error:
                print(f"{fault}: {type(error).__name__}: {error}; the logs: {_kept(folder)}", flush=True)


def _kept(folder: Path) -> str:
    """Copy the logs to where they stay."""
    to = Path(tempfile.mkdtemp(prefix="cluster-faults-"))
    for log in folder.glob("*.log"):
        (to / log.name).write_bytes(log.read_bytes())
    return str(to)


if __name__ == "__main__":
    main()
