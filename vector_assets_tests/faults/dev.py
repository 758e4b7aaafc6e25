"""`vector-assets dev` as a user starts it, watched and disturbed by a test."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from vector_assets.cli.dev_watchdog import group_members

from ..cli.test_dev import free_port
from .gated import GATE
from .places import SECONDS, Place, eventually

_ROOT = Path(__file__).parents[2]


class Arrival:
    """A process that stands at the gate."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.process = psutil.Process(int(connection.recv(16)))

    def say(self, word: str) -> None:
        """`go` or `fail`."""
        with self._connection as connection:
            connection.sendall(word.encode())


class Gate:
    """Where the embedder asks before each of its answers, until the gate is opened for good."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gate"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._listener.settimeout(SECONDS)

    def arrival(self) -> Arrival:
        """The next one who comes."""
        connection, _ = self._listener.accept()
        connection.settimeout(SECONDS)
        return Arrival(connection)

    def pass_by(self, count: int) -> Arrival:
        """Let so many go on; give the one after them."""
        for _ in range(count):
            self.arrival().say("go")
        return self.arrival()

    def answer_until(self, holds: Callable[[], bool], failing: int = 0) -> None:
        """Let everybody go on until it holds; the first so many processes fail each time."""
        seen: list[int] = []

        def look() -> bool:
            with suppress(TimeoutError):
                self._listener.settimeout(0.2)
                arrival = self.arrival()
                if arrival.process.pid not in seen:
                    seen.append(arrival.process.pid)
                arrival.say("fail" if arrival.process.pid in seen[:failing] else "go")
            return holds()

        eventually(look)
        self._listener.settimeout(SECONDS)

    def open(self) -> None:
        """Whoever comes from now on, or waits, goes on."""
        self.path.unlink()
        self._listener.close()


class Dev:
    """The command, its processes, and what its web pages say."""

    def __init__(self, place: Place, gate: Gate, **environment: str) -> None:
        self._port = free_port()
        (place.home.parent / "site").mkdir()
        (place.home.parent / "site" / "sitecustomize.py").write_text("import vector_assets_tests.faults.gated\n")
        python_path = os.pathsep.join([str(place.home.parent / "site"), str(_ROOT)])
        self._environment = os.environ | {
            "VECTOR_ASSETS_HOME": str(place.home), "VECTOR_ASSETS_LANDING_DIR": str(place.landing),
            "PYTHONPATH": python_path, GATE: str(gate.path), **environment,
        }  # fmt: skip

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "vector_assets.cli", "dev", "--port", str(self._port)]
        self.process = subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        timer = threading.Timer(2 * SECONDS, self.process.kill)  # rather than wait for a line that does not come
        timer.start()
        self._said = []
        for line in self.process.stdout:
            self._said.append(line)
            if f"http://127.0.0.1:{self._port}" in line:
                break
        timer.cancel()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        (self._dagster,) = [one for one in psutil.Process(self.process.pid).children() if "dagster" in one.cmdline()]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)

    def _read(self) -> None:
        self._said.extend(self.process.stdout)

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Another command beside it, with the same settings and the same embedder."""
        return subprocess.Popen(
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    @property
    def said(self) -> str:
        """All its lines so far."""
        return "".join(self._said)

    def find(self, words: str) -> psutil.Process:
        """The process of Dagster's whose command line holds the words."""
        (found,) = [one for one in group_members(self._dagster.pid) if words in " ".join(one.cmdline())]
        return found

    def check_all_ended(self) -> None:
        """Nothing of it is at work any more: Dagster's processes, runs, and the keeper that saw to it."""
        self._reader.join(SECONDS)  # its output ends with the last process that could write there
        assert not self._reader.is_alive()
        eventually(lambda: group_members(self._dagster.pid) == [])

    def ask(self, query: str) -> Any:
        """What the web pages would be told."""
        url = f"http://127.0.0.1:{self._port}/graphql"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps({"query": query}).encode(), headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return json.load(response)["data"]

    def runs(self) -> list[dict[str, Any]]:
        """The newest first, but for those of schedules, which the hour of the day starts."""
        query = "{ runsOrError { ... on Runs { results { runId status creationTime endTime tags { key } } } } }"
        found = self.ask(query)["runsOrError"]["results"]
        return [run for run in found if {"key": "dagster/schedule_name"} not in run["tags"]]

    def statuses(self) -> list[str]:
        """Of these runs, the newest first."""
        return [run["status"] for run in self.runs()]

    def cancel(self) -> None:
        """As the button on the run's page does."""
        run_id = self.runs()[0]["runId"]
        answer = self.ask(f'mutation {{ terminateRun(runId: "{run_id}") {{ __typename }} }}')
        assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess"

    def sensors(self) -> dict[str, str]:
        """Name -> status."""
        selector = '{repositoryName: "__repository__", repositoryLocationName: "vector_assets.code_location"}'
        query = (
            f"{{ sensorsOrError(repositorySelector: {selector}) "
            "{ ... on Sensors { results { name sensorState { status } } } } }"
        )
        results = self.ask(query)["sensorsOrError"]["results"]
        return {item["name"]: item["sensorState"]["status"] for item in results}

    def failed_ticks(self, sensor: str) -> list[str]:
        """The errors of the sensor's ticks that failed."""
        selector = (
            '{repositoryName: "__repository__", repositoryLocationName: "vector_assets.code_location", '
            f'sensorName: "{sensor}"}}'
        )
        query = (
            f"{{ sensorOrError(sensorSelector: {selector}) "
            "{ ... on Sensor { sensorState { ticks(statuses: [FAILURE]) { error { message } } } } } }"
        )
        return [tick["error"]["message"] for tick in self.ask(query)["sensorOrError"]["sensorState"]["ticks"]]
