"""`vector-assets dev`."""

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click
import psutil

from ..errors import DagsterDidNotStart, PortTaken
from .options import filings_option

HOST = "127.0.0.1"
_START_SECONDS = 120.0
_STOP_SECONDS = 20.0


@click.command(short_help="Run the database, Dagster and its sensors here.")
@filings_option
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="Of the web pages.")
def dev(filings: Path | None, port: int) -> None:
    """Run everything on this machine: the database, Dagster's web pages, its daemon and the sensors.

    Stops cleanly on Ctrl-C and on SIGTERM.
    """
    from .parts import open_parts
    from .terminal import working

    _refuse_taken(port)
    with open_parts(filings) as parts:
        from ..defs.instance import dagster_environment, open_instance
        from ..defs.runs import Runs

        with working("preparing Dagster's storage"), open_instance(parts) as instance:
            Runs(instance).end_orphans()
            environment = os.environ | dagster_environment(parts)
        with _Dagster(port, environment) as dagster:
            click.echo("starting Dagster ...")
            dagster.wait_until_it_answers()
            click.echo(f"Dagster is at http://{HOST}:{port}  (landing directory: {parts.settings.landing_dir})")
            click.echo("Assets: /assets · lineage: /asset-groups · runs: /runs.  Ctrl-C stops everything.")
            dagster.wait()
    click.echo("stopped.")


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PortTaken(port, error.strerror or str(error)) from error


class _Dagster:
    """Webserver, daemon and code server as one child process with a process group of its own."""

    def __init__(self, port: int, environment: dict[str, str]) -> None:
        self._port = port
        self._environment = environment
        self._stopping = False
        self._family: list[psutil.Process] = []
        self._former: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> "_Dagster":
        # A background shell starts commands deaf to SIGINT, and a child would inherit that. What has a handler here,
        # a child gets with the default: so the handlers come first.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._former[number] = signal.signal(number, self._stop)
        python, where = sys.executable, ["-h", HOST, "-p", str(self._port), "--log-level", "warning"]
        command = [python, "-m", "dagster", "dev", "-m", "vector_assets.definitions", *where]
        # Dagster would warn of its own command's successor, and of a dagster.yaml in the working directory.
        environment = self._environment | {"PYTHONWARNINGS": "ignore::FutureWarning"}
        home = self._environment["DAGSTER_HOME"]
        # A process group of its own, so that a terminal's Ctrl-C reaches it once, from here.
        self._process = psutil.Popen(command, env=environment, cwd=home, process_group=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        # Dagster leaves its code server, and a run at work, to end by themselves; here nothing outlives the command.
        _end([*self._family, self._process])
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def wait_until_it_answers(self) -> None:
        """Until the web pages are served.

        Raises:
            DagsterDidNotStart: the process ended, or did not answer in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not self._stopping and not _answers(self._port):
            if self._process.poll() is not None:
                raise DagsterDidNotStart(f"it ended with code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise DagsterDidNotStart(f"no answer within {_START_SECONDS:.0f} s")
            time.sleep(0.2)

    def wait(self) -> None:
        """Until it ends, by a signal or by itself."""
        self._process.wait()
        if not self._stopping:
            raise DagsterDidNotStart(f"it ended with code {self._process.returncode}")

    def _stop(self, *_: object) -> None:
        if not self._stopping and self._process.is_running():
            self._stopping = True
            click.echo("stopping ...")
            self._family = self._process.children(recursive=True)
            self._process.send_signal(signal.SIGINT)


def _end(processes: list[psutil.Process]) -> None:
    """Wait for the first process of the family to end, then ask, then make the others."""
    psutil.wait_procs(processes[-1:], timeout=_STOP_SECONDS)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                end(process)
        _, processes = psutil.wait_procs(processes, timeout=_STOP_SECONDS)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/server_info")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
