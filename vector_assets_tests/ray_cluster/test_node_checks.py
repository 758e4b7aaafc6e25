"""What nodes say about themselves is judged without Ray."""

from dataclasses import replace

import pytest

from vector_assets.ray_cluster.node_checks import fixes, run_slots
from vector_assets.ray_cluster.node_facts import NodeFacts, gather

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
        ({"lacks_dagster_driver": True}, "postgresql+psycopg2://"),
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


@pytest.mark.parametrize(
    ("url", "lacks_url", "lacks_driver"),
    [
        (None, True, False),
        ("postgresql://me@db/dagster", False, True),
        ("postgresql+psycopg2://me@db/dagster", False, False),
    ],
)
def test_a_node_says_how_its_runs_reach_dagster(
    url: str | None, lacks_url: bool, lacks_driver: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a driver a run would fail at its first event only, and stay STARTING."""
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", "mysql://nothing")  # which ends the questions early
    monkeypatch.delenv("VECTOR_ASSETS_DAGSTER_DATABASE_URL", raising=False)
    if url:
        monkeypatch.setenv("VECTOR_ASSETS_DAGSTER_DATABASE_URL", url)

    facts, _ = gather("node")

    assert (facts.lacks_dagster_url, facts.lacks_dagster_driver) == (lacks_url, lacks_driver)
