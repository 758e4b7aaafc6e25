"""Judges what nodes say about themselves: what is to be fixed on each, compared with the machine that asks."""

from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import DAGSTER_DATABASE_URL
from .node_facts import NodeFacts

# A vector of the same text by the same model, on whichever CPU (promise 14).
_LEAST_COSINE = 0.999
# Dagster orders what happened by the clock of the process that reports it.
_MOST_SECONDS_OFF = 2.0


def fixes(node: NodeFacts, own: NodeFacts) -> Iterator[str]:
    """Say what is to be fixed on a node, the first causes first. The head needs no cores."""
    if node.problem:
        yield f"it could not be asked ({node.problem}). If it has left, ask again; else install vector_assets on it."
        return
    if node.version != own.version:
        yield f"vector_assets is {node.version} there and {own.version} here. Install the same version on both."
    yield from _fixes_of_environment(node, own)
    yield from _fixes_of_model(node, own)
    if abs(node.clock_off) > _MOST_SECONDS_OFF:
        yield f"its clock is {node.clock_off:+.0f} s off. Start a time service there, e.g. chrony."


def _fixes_of_environment(node: NodeFacts, own: NodeFacts) -> Iterator[str]:
    if node.database_problem:
        yield node.database_problem
    elif node.database != own.database:
        yield f"it works on another database, {node.database}. Set VECTOR_ASSETS_DATABASE_URL there."
    if node.lacks_dagster_url:
        yield f"{DAGSTER_DATABASE_URL} is not set, so that no run starts there. Set it before ray start."
    if node.lacks_dagster_driver:
        # Dagster opens the storage and reads from it; the first event of a run fails, and the run stays STARTING.
        yield f"{DAGSTER_DATABASE_URL} names no driver. Begin it with postgresql+psycopg2:// there, before ray start."
    if node.home_problem:
        yield f"{node.home} cannot be written ({node.home_problem}). Set VECTOR_ASSETS_HOME to a directory that can be."
    if not node.has_dagster:
        yield "the command dagster is not found, so that no run starts there. Put it on the PATH before ray start."


def _fixes_of_model(node: NodeFacts, own: NodeFacts) -> Iterator[str]:
    if node.model_problem:
        yield node.model_problem
    elif not node.space or not own.space:
        return
    elif node.space != own.space:
        yield f"its model makes the space {node.space}, here it is {own.space}. Set the same EMBEDDING_* on both."
    elif node.digest != own.digest:
        yield f"its weights are {node.digest[:12]}, here they are {own.digest[:12]}. Copy the model's files from here."
    elif (cosine := _cosine(node, own)) < _LEAST_COSINE:
        yield f"it makes other vectors (cosine {cosine:.4f}). Remove VECTOR_ASSETS_HOME/models there, and ask again."


def _cosine(node: NodeFacts, own: NodeFacts) -> float:
    one, other = np.asarray(node.vector), np.asarray(own.vector)
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def run_slots(nodes: Sequence[NodeFacts], num_cpus: float, num_gpus: float) -> int:
    """Count the runs that the nodes take at once, each with so many cores and GPUs."""
    return sum(_slots(node, num_cpus, num_gpus) for node in nodes)


def _slots(node: NodeFacts, num_cpus: float, num_gpus: float) -> int:
    needed = [(node.cores, num_cpus), (node.gpus, num_gpus)]
    return min((int(has // needs) for has, needs in needed if needs), default=0)
