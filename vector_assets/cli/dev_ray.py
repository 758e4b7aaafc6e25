"""The Ray cluster of `vector-assets dev --ray`: a head and workers on this machine, for trying."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from ..errors import InvalidSetting, RayDidNotStart
from ..ray_cluster.cluster import RayTarget, require_ray
from ..translation import translate
from .dev_watchdog import STOP_SECONDS, dismiss, end_group, start_watchdog
from .ports import HOST, refuse_taken_port

_START_SECONDS = 120.0

RAY_OPTION = click.option(
    "--ray",
    "workers",
    is_flag=False,
    flag_value=2,
    type=click.IntRange(1, 64),
    metavar="[WORKERS]",
    help="Run on a Ray cluster on this machine, for trying: a head and so many workers of one core each (2).",
)
RAY_PORT_OPTION = click.option(
    "--ray-port",
    default=8265,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="The port of Ray's pages, to which runs are sent too.",
)


@dataclass(frozen=True)
class RayOptions:
    """The cluster that is asked for."""

    workers: int
    port: int

    @property
    def target(self) -> RayTarget:
        """Where runs are sent to."""
        return RayTarget(f"http://{HOST}:{self.port}", num_cpus=1, slots=self.workers)


def ray_options(workers: int | None, port: int) -> RayOptions | None:
    """Give the options of the cluster, or None without --ray.

    Raises:
        ExtraMissing: Ray is not installed.
        PortTaken: another program has its port.
        InvalidSetting: DAGSTER_HOME has a dagster.yaml, which would start the runs.
    """
    if workers is None:
        return None
    require_ray("vector-assets dev --ray")
    refuse_taken_port(port, "--ray-port")
    if (home := os.environ.get("DAGSTER_HOME")) and (Path(home) / "dagster.yaml").exists():
        fix = "Unset it, or use the block run_launcher of the shipped dagster.yaml there and start Ray yourself."
        raise InvalidSetting("DAGSTER_HOME", "its dagster.yaml decides how runs start, not --ray", fix)
    return RayOptions(workers, port)


@contextmanager
def local_ray(ray: RayOptions | None, environment: Mapping[str, str]) -> Iterator[None]:
    """Have the cluster run meanwhile, in the environment of Dagster; without options, have none.

    Raises:
        RayDidNotStart: it ended, or its nodes were not there in time.
    """
    if ray is None:
        yield
        return
    # Not in the home: the names of Ray's sockets may have 107 characters in all.
    with tempfile.TemporaryDirectory(prefix="vector-assets-ray-", ignore_cleanup_errors=True) as folder:
        log = Path(tempfile.gettempdir()) / f"vector-assets-ray-{ray.port}.log"
        process = _start(ray, environment, folder, log)
        watchdog = start_watchdog(process.pid)
        try:
            click.echo(translate("starting Ray: a head and {workers} workers ...", workers=ray.workers))
            _wait_for_nodes(ray, process, log)
            click.echo(translate("Ray is at {url}", url=ray.target.address))
            yield
        finally:
            _end(process)
            dismiss(watchdog)
    log.unlink(missing_ok=True)


def _start(ray: RayOptions, environment: Mapping[str, str], folder: str, log: Path) -> psutil.Popen:
    # Runs are started by the command `dagster`, which lies beside this Python.
    path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    program = [sys.executable, "-m", "vector_assets.ray_cluster.local_cluster", str(ray.workers), str(ray.port), folder]
    with log.open("wb") as output:
        return psutil.Popen(
            program, env={**environment, "PATH": path}, stdout=output, stderr=output, cwd=folder, process_group=0
        )


def _wait_for_nodes(ray: RayOptions, process: psutil.Popen, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _has_started(log):
        if (code := process.poll()) is not None:
            raise RayDidNotStart(f"it ended with code {code}", str(log))
        if time.monotonic() > deadline:
            raise RayDidNotStart(f"{ray.workers + 1} nodes were not there within {_START_SECONDS:.0f} s", str(log))
        time.sleep(0.2)


def _has_started(log: Path) -> bool:
    """Say whether the program has started all nodes."""
    from ..ray_cluster.local_cluster import READY

    return READY.encode() in log.read_bytes()


def _end(process: psutil.Popen) -> None:
    if process.poll() is None:
        process.terminate()
    with suppress(psutil.TimeoutExpired):
        process.wait(STOP_SECONDS)
    end_group(process.pid)
