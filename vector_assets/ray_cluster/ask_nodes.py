"""The program of the Ray job by which `vector-assets doctor --cluster` asks all nodes: each by a task of its own.

It prints a line with the facts of all nodes as JSON.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .node_facts import NodeFacts, gather

ANSWER = "vector_assets nodes: "
"""How the line begins."""

# So many nodes at a time open connections to the database and, if they have no copy of it yet, fetch the model.
_AT_ONCE = 8
# A node without a converted model converts one, which takes some 10 s; a large one has to be fetched before.
_SECONDS = 300.0


def main() -> None:
    """Ask, and print."""
    import ray

    ray.init(log_to_driver=False)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    groups = [nodes[start : start + _AT_ONCE] for start in range(0, len(nodes), _AT_ONCE)]
    found = [facts.to_json() for group in groups for facts in _asked(group)]
    print(ANSWER + json.dumps(found), flush=True)


def _asked(nodes: list[dict[str, Any]]) -> Iterator[NodeFacts]:
    """Ask some nodes at the same time. A task needs no core, so that a node that works answers too."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    before = time.time()
    task = ray.remote(num_cpus=0, max_retries=0)(gather)
    calls = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            node["NodeManagerAddress"]
        )
        for node in nodes
    ]
    for node, call in zip(nodes, calls, strict=True):
        name = node["NodeManagerAddress"]
        try:
            facts, clock = ray.get(call, timeout=_SECONDS)
        except ray.exceptions.GetTimeoutError:
            yield NodeFacts(name, problem=f"no answer within {_SECONDS:.0f} s")
        except ray.exceptions.RayError as error:
            yield NodeFacts(name, problem=str(error).strip().splitlines()[-1])
        else:
            yield _with_resources(facts, node["Resources"], clock, before)


def _with_resources(facts: NodeFacts, resources: dict[str, float], clock: float, before: float) -> NodeFacts:
    return replace(
        facts,
        clock_off=min(clock - before, 0.0) or max(clock - time.time(), 0.0),
        cores=resources.get("CPU", 0),
        gpus=resources.get("GPU", 0),
        memory=resources.get("memory", 0),
        is_head="node:__internal_head__" in resources,
    )


if __name__ == "__main__":
    main()
