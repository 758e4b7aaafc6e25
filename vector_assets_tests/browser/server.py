"""`vector-assets dev` as a user starts it, in a home of its own, with filings of a few companies."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

from ..cli.test_dev import free_port

ROOT = Path(__file__).parents[2]
SECONDS = 120.0

# A partition that keeps a run at work for some time, all partitions of a company, one whose file arrives while the
# server runs, and one to fail.
LONG = "hk/annual_report/00700"
COMPANY = ["us/announcement/AAPL", "us/annual_report/AAPL", "us/quarterly_report/AAPL"]
LANDED = "cn/annual_report/600519"
BUSY = "us/quarterly_report/MSFT"
CHUNKS = {LONG: 240, **dict.fromkeys(COMPANY, 30), LANDED: 40, BUSY: 20}

_SELECTOR = '{repositoryName: "__repository__", repositoryLocationName: "vector_assets.code_location"}'
_SCHEDULES = f"{{ schedulesOrError(repositorySelector: {_SELECTOR}) {{ ... on Schedules {{ results {{ id }} }} }} }}"
_SENSORS = f"{{ sensorsOrError(repositorySelector: {_SELECTOR}) {{ ... on Sensors {{ results {{ id name }} }} }} }}"
_SAMPLE = ROOT / "vector_assets" / "samples" / "us" / "annual_report" / "XARB" / "2024-annual-report.txt"


class Server:
    """The command, where it is, and what it lies on.

    Args:
        folder: an empty one, for its home and its landing directory.
        models: the folder of converted models.
    """

    def __init__(self, folder: Path, models: Path) -> None:
        self._home, self._landing = folder / "home", folder / "landing"
        self._landing.mkdir()
        self._home.mkdir()
        (self._home / "models").symlink_to(models)
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        self._environment = os.environ | {
            "VECTOR_ASSETS_HOME": str(self._home),
            "VECTOR_ASSETS_LANDING_DIR": str(self._landing),
            "VECTOR_ASSETS_DATABASE_URL": "",
            "EMBEDDING_BATCH_SIZE": "8",
            "EMBEDDING_PRECISION": "f32",  # slower, so that a run is seen while it works
            "PYTHONPATH": str(ROOT),
        }
        for variable in ("DAGSTER_HOME", "VECTOR_ASSETS_DAGSTER_DATABASE_URL"):
            self._environment.pop(variable, None)

    def __enter__(self) -> Self:
        self._process = self._start("dev", "--port", str(self._port))
        assert self._process.stdout is not None
        timer = threading.Timer(SECONDS, self._process.kill)  # rather than wait for a line that does not come
        timer.start()
        said = ""
        for line in self._process.stdout:
            said += line
            if self.address in line:
                break
        timer.cancel()
        assert self.address in said, said
        self._reader = threading.Thread(target=self._process.stdout.read)  # so that it never waits to be read
        self._reader.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.send_signal(signal.SIGINT)  # SIGTERM is tried in cli/test_launched_backfill.py
        assert self._process.wait(SECONDS) == 0
        self._reader.join(SECONDS)

    def _start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "vector_assets.cli", *arguments]
        return subprocess.Popen(
            command, env=self._environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def stop_automation(self) -> None:
        """So that nothing happens but what is clicked; as the switches on the page of automations do."""
        for sensor in self._sensors():
            answer = self._ask(f'mutation {{ stopSensor(id: "{sensor["id"]}") {{ __typename }} }}')
            assert answer["stopSensor"]["__typename"] == "StopSensorMutationResult"
        for schedule in self._ask(_SCHEDULES)["schedulesOrError"]["results"]:
            answer = self._ask(f'mutation {{ stopRunningSchedule(id: "{schedule["id"]}") {{ __typename }} }}')
            assert answer["stopRunningSchedule"]["__typename"] == "ScheduleStateResult"

    def start_sensors(self) -> None:
        """All of them, as the switches on the page of automations do."""
        for sensor in self._sensors():
            selector = _SELECTOR[:-1] + f', sensorName: "{sensor["name"]}"}}'
            answer = self._ask(f"mutation {{ startSensor(sensorSelector: {selector}) {{ __typename }} }}")
            assert answer["startSensor"]["__typename"] == "Sensor"

    def _sensors(self) -> Any:
        return self._ask(_SENSORS)["sensorsOrError"]["results"]

    def land(self, key: str) -> None:
        """A filing of the partition arrives in the landing directory."""
        folder = self._landing / key
        folder.mkdir(parents=True)
        (folder / "2024.txt").write_text("\n\n".join(_paragraphs(key, CHUNKS[key])))

    def ingest(self, keys: Iterable[str]) -> None:
        """One filing for each partition, read and cut."""
        for key in keys:
            self.land(key)
        with self._start("ingest", str(self._landing)) as command:
            said, _ = command.communicate(timeout=SECONDS)
        assert command.returncode == 0, said

    @contextmanager
    def another_run_of(self, key: str, run_id: str) -> Iterator[None]:
        """Another run has the partition, for so long."""
        settings = load_settings(home=self._home, landing_dir=self._landing, database_url="")
        try:
            with Services(settings) as services:
                slug = services.embedder.space.slug
                with services.partition_locks.held(PartitionKey.parse(key), slug, run_id):
                    yield
        finally:
            leave_embedded_server(self._home)

    def _ask(self, query: str) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}/graphql", json.dumps({"query": query}).encode(), headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            return json.load(response)["data"]


def _paragraphs(seed: str, count: int) -> Iterator[str]:
    """Of 150 words each, so that no two share a chunk and none is divided. They make no sense; that takes as long."""
    chance = random.Random(seed)
    words = [word for word in _SAMPLE.read_text().split() if word.isalpha()]
    for _ in range(count):
        yield " ".join(chance.choices(words, k=150)).capitalize() + "."
