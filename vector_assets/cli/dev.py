"""`vector-assets dev`."""

import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click
import psutil

from ..errors import DagsterDidNotStart, VectorAssetsError
from ..translation import ngettext, translate
from .dev_address import answers, recorded_port
from .dev_ray import RAY_OPTION, RAY_PORT_OPTION, local_ray, ray_options
from .dev_watchdog import STOP_SECONDS, dismiss, end_group, group_members, start_watchdog
from .options import examples, filings_option
from .ports import HOST, refuse_taken_port

if TYPE_CHECKING:
    from ..services import Services

_START_SECONDS = 120.0
# Dagster starts a killed code server again when somebody presses Reload, and until then no sensor works. It is gone for
# a moment when Dagster itself starts another one, so that it must be missing in two checks.
_CHECK_SECONDS = 5.0
_MISSING_CHECKS = 2


_EXAMPLES = examples(
    "vector-assets dev", "vector-assets dev --filings ~/filings --port 3001", "vector-assets dev --ray 4"
)


@click.command(epilog=_EXAMPLES)
@filings_option
@click.option(
    "--port", default=3000, show_default=True, type=click.IntRange(1, 65535), help="The port of the web pages."
)
@RAY_OPTION
@RAY_PORT_OPTION
def dev(filings: Path | None, port: int, workers: int | None, ray_port: int) -> None:
    """Run everything on this machine: the database, Dagster's web pages, its daemon and the sensors.

    Ctrl-C and SIGTERM stop everything that it started.
    """
    from ..storage.dev_lock import dev_lock
    from .open_services import open_services
    from .terminal import working

    refuse_taken_port(port)
    ray = ray_options(workers, ray_port)
    with open_services(filings, creates=True) as services, dev_lock(services.dagster_url, services.retries):
        from ..defs.run_history import Runs
        from ..defs.runtime.instance import dagster_environment, open_instance

        target = None if ray is None else ray.target
        with working(translate("preparing Dagster's storage")), open_instance(services, target) as instance:
            Runs(instance).end_orphans()
            environment = os.environ | dagster_environment(services)
        with local_ray(ray, environment), _Dagster(port, environment) as dagster:
            click.echo(translate("starting Dagster ..."))
            dagster.wait_until_it_answers()
            _print_address(port, services.settings.landing_dir)
            with recorded_port(services.settings.home, port):
                dagster.wait()
        click.echo(_stopped(services))


def _stopped(services: "Services") -> str:
    """Say what stays pending; a run that was at work has committed whole batches."""
    with suppress(VectorAssetsError):
        if pending := sum(status.pending for status in services.status()):
            return ngettext(
                "stopped. What was committed is kept; {number:,} chunk stays pending, and the next start continues.",
                "stopped. What was committed is kept; {number:,} chunks stay pending, and the next start continues.",
                pending,
            )
    return translate("stopped.")


def _print_address(port: int, landing_dir: Path) -> None:
    url = f"http://{HOST}:{port}"
    click.echo(translate("Dagster is at {url}  (landing directory: {directory})", url=url, directory=landing_dir))
    click.echo(translate("Assets: /assets · lineage: /asset-groups · runs: /runs.  Ctrl-C stops everything."))


class _Dagster:
    """Webserver, daemon and code server as one child process with a process group of its own."""

    def __init__(self, port: int, environment: dict[str, str]) -> None:
        self._port = port
        self._environment = environment
        self._stopping = False
        self._former: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> "_Dagster":
        # A background shell starts commands such that they ignore SIGINT, and a child would inherit that. A signal with
        # a handler has the default in a child: so the handlers come first.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._former[number] = signal.signal(number, self._stop)
        python, where = sys.executable, ["-h", HOST, "-p", str(self._port), "--log-level", "warning"]
        command = [python, "-m", "dagster", "dev", "-m", "vector_assets.code_location", *where]
        # Dagster would warn of its own command's successor, and of a dagster.yaml in the working directory.
        environment = self._environment | {"PYTHONWARNINGS": "ignore::FutureWarning"}
        home = self._environment["DAGSTER_HOME"]
        # A process group of its own, so that a terminal's Ctrl-C reaches it once, through this command.
        self._process = psutil.Popen(command, env=environment, cwd=home, process_group=0)
        self._watchdog = start_watchdog(self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        with suppress(psutil.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        # Dagster leaves its code server, and a run at work, to end by themselves; nothing may outlive this command.
        end_group(self._process.pid)
        self._process.wait()
        dismiss(self._watchdog)
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def wait_until_it_answers(self) -> None:
        """Wait until the web pages are served.

        Raises:
            DagsterDidNotStart: the process ended, or did not answer in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not self._stopping and not answers(self._port):
            if self._process.poll() is not None:
                raise DagsterDidNotStart(f"it ended with code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise DagsterDidNotStart(f"no answer within {_START_SECONDS:.0f} s")
            time.sleep(0.2)

    def wait(self) -> None:
        """Wait until Dagster ends, by a signal or by itself."""
        missing = 0
        while (code := self._ended()) is None:
            missing = 0 if self._has_code_server() else missing + 1
            if missing == _MISSING_CHECKS:
                click.echo(translate("the code server has ended; starting it again ..."))
                _reload(self._port)
                missing = 0
        if not self._stopping:
            raise DagsterDidNotStart(f"it ended with code {code}")

    def _ended(self) -> int | None:
        """Wait a little for Dagster to end; give its exit code, or None."""
        try:
            return int(self._process.wait(_CHECK_SECONDS))
        except psutil.TimeoutExpired:
            return None

    def _has_code_server(self) -> bool:
        for process in group_members(self._process.pid):
            with suppress(psutil.Error):
                if process.cmdline()[2:5] == ["dagster", "api", "grpc"]:
                    return True
        return self._stopping

    def _stop(self, *_: object) -> None:
        if not self._stopping and self._process.is_running():
            self._stopping = True
            click.echo(translate("stopping ..."))
            self._process.send_signal(signal.SIGINT)


def _reload(port: int) -> None:
    """Do what the button on the page of code locations does."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_START_SECONDS)
    query = json.dumps({"query": "mutation { reloadWorkspace { __typename } }"})
    with suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/graphql", query, {"Content-Type": "application/json"})
        connection.getresponse().read()
    connection.close()
