"""Hosts on one machine: network namespaces with names of their own, joined by a bridge that lies in the first one.

It needs root on Linux. What a host's programs listen on can be reached from the other hosts only.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_NETWORK = "10.77.0"


@dataclass(frozen=True)
class Host:
    """One of the hosts. `cores` are those on which its programs may run; None: all."""

    name: str
    address: str
    namespace: str
    cores: str | None = None

    def start(self, program: Sequence[str | Path], log: Path, environment: Mapping[str, str]) -> psutil.Popen:
        """Start a program on the host; what it prints is appended to the log."""
        named = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.name]
        pinned = ["taskset", "-c", self.cores] if self.cores else []
        command = ["ip", "netns", "exec", self.namespace, *named, *pinned, *map(str, program)]
        with log.open("ab") as output:
            return psutil.Popen(command, env=dict(environment), stdout=output, stderr=output, start_new_session=True)


@dataclass(frozen=True)
class Hosts:
    """The head and the workers."""

    head: Host
    workers: tuple[Host, ...]

    def set_link(self, worker: Host, *, up: bool) -> None:
        """Pull the worker's cable, or put it back: packets are lost, and nobody is told."""
        _ip("-n", self.head.namespace, "link", "set", worker.name, "up" if up else "down")


@contextmanager
def joined_hosts(cores: Sequence[str | None]) -> Iterator[Hosts]:
    """Have a head and a worker for each of the `cores` while the block runs."""
    prefix = f"va{os.getpid()}"
    head = Host("head", f"{_NETWORK}.1", f"{prefix}head")
    workers = tuple(
        Host(f"worker{number}", f"{_NETWORK}.{10 + number}", f"{prefix}w{number}", of)
        for number, of in enumerate(cores, 1)
    )
    try:
        for host in (head, *workers):
            _ip("netns", "add", host.namespace)
            _ip("-n", host.namespace, "link", "set", "lo", "up")
        _ip("-n", head.namespace, "link", "add", "bridge", "type", "bridge")
        _ip("-n", head.namespace, "addr", "add", f"{head.address}/24", "dev", "bridge")
        _ip("-n", head.namespace, "link", "set", "bridge", "up")
        for worker in workers:
            pair = ["type", "veth", "peer", "name", "eth0", "netns", worker.namespace]
            _ip("-n", head.namespace, "link", "add", worker.name, *pair)
            _ip("-n", head.namespace, "link", "set", worker.name, "master", "bridge", "up")
            _ip("-n", worker.namespace, "addr", "add", f"{worker.address}/24", "dev", "eth0")
            _ip("-n", worker.namespace, "link", "set", "eth0", "up")
        yield Hosts(head, workers)
    finally:
        for host in (head, *workers):
            subprocess.run(["ip", "netns", "del", host.namespace], check=False, stderr=subprocess.DEVNULL)


def end(processes: Sequence[psutil.Process]) -> None:
    """Kill programs with all that they have started, and wait until they are gone."""
    doomed = []
    for process in processes:
        try:
            doomed += [*process.children(recursive=True), process]
        except psutil.NoSuchProcess:
            continue
    for process in doomed:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(doomed, timeout=30)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
