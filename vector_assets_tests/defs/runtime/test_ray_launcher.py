"""dagster.yaml with and without a Ray cluster."""

import socket
from pathlib import Path

import pytest
from dagster import DagsterInstance

from vector_assets.defs.runtime.ray_launcher import ray_target, recorded_target, with_launcher
from vector_assets.errors import NoRayLauncher
from vector_assets.ray_cluster.cluster import RayTarget

SHIPPED = Path(__file__).parents[3] / "dagster.yaml"


def test_the_cluster_is_found_as_long_as_it_answers(tmp_path: Path) -> None:
    """Commands that write the file again while `dev --ray` runs keep the launcher; later ones drop it."""
    file = tmp_path / "dagster.yaml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        ray = RayTarget(f"http://127.0.0.1:{server.getsockname()[1]}", num_cpus=1, slots=3)
        file.write_text(with_launcher(SHIPPED.read_text("utf-8"), ray))

        found = recorded_target(file)

    assert found == ray
    assert recorded_target(file) is None
    assert with_launcher(SHIPPED.read_text("utf-8"), None) == SHIPPED.read_text("utf-8")


def test_another_launcher_is_named() -> None:
    """There is no cluster to ask."""
    with DagsterInstance.ephemeral() as instance, pytest.raises(NoRayLauncher, match=r"run_launcher"):
        ray_target(instance, "vector_assets_embedder")
