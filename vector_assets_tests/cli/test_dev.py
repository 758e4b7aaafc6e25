"""`vector-assets dev` before it starts anything. How it serves and ends is tried in `test_launched_backfill.py`."""

import socket
import subprocess
import sys


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
