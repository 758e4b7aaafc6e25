"""Asks a Ray cluster, by the address to which Dagster's launcher sends its runs."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import ClusterDidNotAnswer, ExtraMissing, RayUnreachable
from .ask_nodes import ANSWER
from .node_facts import NodeFacts

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

_PROGRAM = "python -m vector_assets.ray_cluster.ask_nodes"
# A cluster that is busy starts a job after some seconds. 32 nodes convert a model in four groups.
_SECONDS = 1500.0


@dataclass(frozen=True)
class RayTarget:
    """Where the launcher sends runs, what it asks for each of them, and how many may embed at once."""

    address: str
    runtime_env: dict[str, Any] = field(default_factory=dict)
    num_cpus: float = 0
    num_gpus: float = 0
    slots: int = 1


def require_ray(what: str) -> None:
    """Refuse to go on without the libraries.

    Raises:
        ExtraMissing: Ray or Dagster's launcher for it is not installed.
    """
    if find_spec("ray") is None or find_spec("dagster_ray") is None:
        raise ExtraMissing(what, "ray")


def ask_cluster(target: RayTarget) -> Sequence[NodeFacts]:
    """Ask every node that is there now, in the environment that runs get.

    Raises:
        RayUnreachable: nothing answers at the address, or no Ray of a version that takes jobs.
        ClusterDidNotAnswer: the job that asks ended without an answer.
    """
    client = _connected(target.address)
    # The head is asked to run the program: it needs no core there.
    try:
        job = client.submit_job(entrypoint=_PROGRAM, runtime_env=target.runtime_env)
    except RuntimeError as error:
        raise RayUnreachable(target.address, str(error).strip().splitlines()[0]) from error
    try:
        status = _ended(client, job)
        lines = client.get_job_logs(job).splitlines()
    finally:
        client.stop_job(job)
    answer = next((line.removeprefix(ANSWER) for line in lines if line.startswith(ANSWER)), None)
    if answer is None:
        raise ClusterDidNotAnswer(target.address, status, lines[-1] if lines else client.get_job_info(job).message)
    return [NodeFacts.from_json(values) for values in json.loads(answer)]


def _connected(address: str) -> "JobSubmissionClient":
    from ray.job_submission import JobSubmissionClient

    try:
        return JobSubmissionClient(address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RayUnreachable(address, str(error).strip().splitlines()[0]) from error


def _ended(client: "JobSubmissionClient", job: str) -> str:
    deadline = time.monotonic() + _SECONDS
    while not (status := client.get_job_status(job)).is_terminal():
        if time.monotonic() > deadline:
            return f"no end within {_SECONDS:.0f} s"
        time.sleep(0.5)
    return str(status)
