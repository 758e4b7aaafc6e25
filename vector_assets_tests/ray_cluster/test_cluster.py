"""A real Ray cluster on this machine, started once. Skipped where the extra `ray` is not installed."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import URL

from vector_assets.errors import RayUnreachable

pytest.importorskip("ray")
pytest.importorskip("dagster_ray")

from vector_assets.ray_cluster.cluster import RayTarget, ask_cluster
from vector_assets.ray_cluster.local_cluster import READY
from vector_assets.ray_cluster.node_checks import fixes
from vector_assets.ray_cluster.node_facts import gather


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def environment(
    tmp_path: Path, home_with_models: Path, database_url: URL, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What all nodes and this process share."""
    address = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", address)
    monkeypatch.setenv("VECTOR_ASSETS_DAGSTER_DATABASE_URL", address.replace("postgresql:", "postgresql+psycopg2:", 1))
    monkeypatch.setenv("VECTOR_ASSETS_HOME", str(home_with_models))
    monkeypatch.setenv("EMBEDDING_MODEL", str(tiny_model))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def cluster(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, psutil.Popen]]:
    """The address of a head and a worker, and their program."""
    port = free_port()
    folder = tmp_path_factory.mktemp("r", numbered=False)
    program = [sys.executable, "-m", "vector_assets.ray_cluster.local_cluster", "1", str(port), str(folder)]
    with psutil.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, process_group=0) as process:
        assert any(READY in line.decode() for line in process.stdout)
        yield f"http://127.0.0.1:{port}", process
        if process.is_running():
            process.terminate()


def test_nodes_are_asked_listen_on_loopback_and_end_together(cluster: tuple[str, psutil.Popen]) -> None:
    """Head and worker need no fix; the node of another model does; nothing is left when the program has ended."""
    address, process = cluster
    own, _ = gather("here")
    processes = process.children(recursive=True)
    listening = [at.laddr.ip for child in processes for at in child.net_connections("tcp") if at.status == "LISTEN"]

    nodes = ask_cluster(RayTarget(address))
    others = ask_cluster(RayTarget(address, {"env_vars": {"EMBEDDING_MODEL": "all-MiniLM-L6-v2"}}))
    process.terminate()
    process.wait(60)

    assert sorted((node.cores, list(fixes(node, own))) for node in nodes) == [(0, []), (1, [])]
    assert all("EMBEDDING_" in " ".join(fixes(node, own)) for node in others)
    assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1"}
    _, left = psutil.wait_procs(processes, timeout=30)
    assert not left
    with pytest.raises(RayUnreachable):
        ask_cluster(RayTarget(address))
