"""`vector-assets dev` as a user runs it: a process that serves, and that leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import psutil

_SENSORS = '{ sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "%s"}) '
_SENSORS += "{ ... on Sensors { results { name sensorState { status } } } } }"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_it_serves_until_it_is_stopped() -> None:
    """It prints where it is, the sensors are on, and after the signal none of its processes lives."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"VECTOR_ASSETS_HOME": home, "VECTOR_ASSETS_LANDING_DIR": home + "/landing"}
        command = [sys.executable, "-m", "vector_assets.cli", "dev", "--port", str(port)]
        with (
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process,
            ExitStack() as stack,
        ):
            stack.callback(process.kill)  # or a test that fails would wait for it
            address = next(found for line in process.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            assert address[0] == f"http://127.0.0.1:{port}"
            assert sensors(address[0]) == {
                "vector_assets_new_chunks_sensor": "RUNNING",
                "vector_assets_candidate_sensor": "RUNNING",
                "vector_assets_landing_sensor": "RUNNING",
                "vector_assets_coverage_sensor": "RUNNING",
            }
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            assert len(family) > 3

            process.send_signal(signal.SIGTERM)  # SIGINT is tried in browser/server.py

            assert "stopped." in process.stdout.read()
            assert process.wait() == 0
        assert [one for one in family if one.is_running()] == []
        assert not Path(home, "postgres", "postmaster.pid").exists()


def sensors(address: str) -> dict[str, str]:
    """Name -> status, as the web pages get it."""
    query = {"query": _SENSORS % "vector_assets.code_location"}
    request = urllib.request.Request(
        f"{address}/graphql", json.dumps(query).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        results = json.load(response)["data"]["sensorsOrError"]["results"]
    return {item["name"]: item["sensorState"]["status"] for item in results}


def test_a_port_that_is_taken_is_one_line() -> None:
    """Promise 11: before anything is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "vector_assets.cli", "dev", "--port", str(port)]

        result = subprocess.run(command, capture_output=True, text=True)

    assert result.returncode == 1
    assert f"port {port}" in result.stderr
    assert "--port" in result.stderr
