"""The faults: what is done to a cluster at work, and what its administrator does afterwards."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.cluster_faults.cluster import Cluster
from benchmarks.cluster_faults.hosts import Host, end

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Work:
    """The run that is under way when the fault comes, its process, and the worker that has it."""

    run_id: str
    process: psutil.Process
    worker: Host


Act = Callable[[Cluster, Work], None]


@dataclass(frozen=True)
class Fault:
    """`begin` happens to the cluster, and `repair` after so many seconds; `settings` are those of its second worker."""

    name: str
    begin: Act
    seconds: float = 0.0
    repair: Act = lambda _cluster, _work: None
    settings: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    full_disk: bool = False


def _kill_run(_: Cluster, work: Work) -> None:
    work.process.kill()


def _kill_raylet(_: Cluster, work: Work) -> None:
    for parent in work.process.parents():
        if parent.name() == "raylet":
            parent.kill()
            return
    raise LookupError("no raylet above the run")


def _start_worker(cluster: Cluster, work: Work) -> None:
    cluster.stop_ray(work.worker)
    cluster.start_ray(work.worker)


def _cut(cluster: Cluster, work: Work) -> None:
    cluster.hosts.set_link(work.worker, up=False)


def _join(cluster: Cluster, work: Work) -> None:
    """Put the cable back. Where the worker's Ray has given up meanwhile, it is started again, as by systemd."""
    cluster.hosts.set_link(work.worker, up=True)
    _start_ended(cluster, 60)


def _kill_head(cluster: Cluster, _: Work) -> None:
    cluster.stop_ray(cluster.hosts.head)


def _start_head(cluster: Cluster, _: Work) -> None:
    cluster.start_ray(cluster.hosts.head)
    _start_ended(cluster, 90)


def _start_ended(cluster: Cluster, seconds: float) -> None:
    """Start Ray again on each worker whose Ray ends by itself within the time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for worker in cluster.hosts.workers:
            if (program := cluster.ray.get(worker.name)) is not None and program.poll() is not None:
                cluster.start_ray(worker)
        time.sleep(0.5)


def _restart_server(cluster: Cluster, _: Work) -> None:
    cluster.stop_server()
    cluster.start_server()


def _kill_daemon(cluster: Cluster, _: Work) -> None:
    _below_dev(cluster, "dagster._daemon")[0].kill()


def _start_dagster(cluster: Cluster, _: Work) -> None:
    assert cluster.dev is not None
    end([cluster.dev])
    cluster.start_dagster()


def _kill_code_server(cluster: Cluster, _: Work) -> None:
    for process in _below_dev(cluster, "grpc"):
        process.kill()


def _below_dev(cluster: Cluster, word: str) -> list[psutil.Process]:
    assert cluster.dev is not None
    below = cluster.dev.children(recursive=True)
    return [process for process in below if any(word in part for part in process.cmdline()[:6])]


def _kill_ray(cluster: Cluster, _: Work) -> None:
    cluster.stop_ray(*cluster.hosts.workers, cluster.hosts.head)


def _start_all_ray(cluster: Cluster, _: Work) -> None:
    cluster.start_ray(cluster.hosts.head, *cluster.hosts.workers)


def _nothing(_: Cluster, __: Work) -> None:
    """The cluster is what it is from its start."""


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("none", _nothing),
        Fault("run", _kill_run),
        Fault("raylet", _kill_raylet, 45, _start_worker),
        Fault("link", _cut, 90, _join),
        Fault("link-briefly", _cut, 10, _join),
        Fault("head", _kill_head, 20, _start_head),
        Fault("server", _restart_server),
        Fault("daemon", _kill_daemon, 10, _start_dagster),
        Fault("code-server", _kill_code_server),
        Fault("cluster", _kill_ray, 45, _start_all_ray),
        Fault("model", _nothing, settings={"EMBEDDING_MODEL": "multilingual-e5-small-q4"}),
        Fault("disk", _nothing, full_disk=True),
    )
}


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Have no room in the folder while the block runs."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        with (folder / "filled").open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
                    file.flush()
            except OSError:
                pass
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
