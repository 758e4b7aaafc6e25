"""What nodes say about themselves is judged without Ray."""

from dataclasses import replace

import pytest

from vector_assets.ray_cluster.node_checks import fixes, run_slots
from vector_assets.ray_cluster.node_facts import NodeFacts

OWN = NodeFacts(
    "here",
    version="0.1.0 (aa)",
    database="postgresql://db/vectors",
    space="e5",
    digest="abc",
    vector=(1.0, 0.0),
    home="/home",
    has_dagster=True,
    cores=8,
)


def test_a_node_like_this_machine_needs_no_fix() -> None:
    """Its vector may differ by rounding."""
    assert not list(fixes(replace(OWN, name="node", vector=(0.99999, 0.001)), OWN))


@pytest.mark.parametrize(
    ("difference", "named"),
    [
        ({"problem": "it left"}, "it left"),
        ({"version": "0.0.9 (bb)"}, "0.0.9"),
        ({"database": "postgresql://other/vectors"}, "VECTOR_ASSETS_DATABASE_URL"),
        ({"database_problem": "refused"}, "refused"),
        ({"lacks_dagster_url": True}, "VECTOR_ASSETS_DAGSTER_DATABASE_URL"),
        ({"home_problem": "Read-only file system"}, "VECTOR_ASSETS_HOME"),
        ({"has_dagster": False}, "PATH"),
        ({"space": "bge"}, "EMBEDDING_"),
        ({"digest": "abd"}, "abd"),
        ({"vector": (0.0, 1.0)}, "cosine"),
        ({"model_problem": "no such model"}, "no such model"),
        ({"clock_off": -30.0}, "-30 s"),
    ],
)
def test_each_difference_has_one_line(difference: dict[str, object], named: str) -> None:
    """The line names what differs, or the setting that changes it."""
    (line,) = fixes(replace(OWN, name="node", **difference), OWN)

    assert named in line


def test_slots_are_the_runs_that_nodes_take_at_once() -> None:
    """A head without cores takes none, and the scarcer of cores and GPUs limits a node."""
    nodes = [replace(OWN, cores=0), replace(OWN, cores=8, gpus=1), replace(OWN, cores=5)]

    assert run_slots(nodes, num_cpus=2, num_gpus=0) == 6
    assert run_slots(nodes, num_cpus=2, num_gpus=1) == 1
