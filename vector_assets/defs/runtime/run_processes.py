"""The process that a run lives in: recorded with the run, so that a killed run is noticed."""

import json
import multiprocessing
import socket
from pathlib import Path

import dagster as dg
import psutil

from .tags import HIDDEN_TAG_PREFIX

# Where a process is killed together with what launched it, nobody else notices that its run has ended.
PROCESS_TAG = f"{HIDDEN_TAG_PREFIX}vector_assets/process"
NODE_TAG = "node"


def signature(run_id: str, process: psutil.Process | None = None) -> dict[str, str]:
    """Give the tag that says that the run lives in the process, which is this one unless another is given.

    It identifies the process among those of all machines, also after its number was given to another process; and the
    run, since a run that is executed again starts with the tags of the run before.
    """
    process = process or psutil.Process()
    return {PROCESS_TAG: json.dumps([_machine(), process.pid, _started(process), run_id])}


def step_signature(context: dg.AssetExecutionContext) -> dict[str, str]:
    """Give the tag of the process that executes the step's run; empty where the executor is not known.

    Dagster's multiprocess executor executes each step in a child of the run's process, which ends with the step.
    """
    executor = context.job_def.executor_def.name
    chosen = context.run_config.get("execution", {}).get("config") or {}
    if executor == dg.in_process_executor.name or "in_process" in chosen:
        return signature(context.run_id)
    parent = multiprocessing.parent_process()
    if executor in _STEPS_IN_CHILDREN and parent is not None and parent.pid is not None:
        return signature(context.run_id, psutil.Process(parent.pid))
    return {}


def place_tags(context: dg.AssetExecutionContext) -> dict[str, str]:
    """Give the tags that say where the step's run is: its process, and the machine or container's name for people."""
    return {**step_signature(context), NODE_TAG: socket.gethostname()}


def sign_run(context: dg.AssetExecutionContext) -> None:
    """Tag the step's run with where it is."""
    context.instance.add_run_tags(context.run_id, place_tags(context))


_STEPS_IN_CHILDREN = {dg.multiprocess_executor.name, dg.multi_or_in_process_executor.name}


def has_lost_its_process(run: dg.DagsterRun) -> bool:
    """Say whether the run lived in a process on this machine that has ended."""
    if PROCESS_TAG not in run.tags:
        return False
    machine, pid, started, run_id = json.loads(run.tags[PROCESS_TAG])
    if machine != _machine() or run_id != run.run_id:
        return False
    try:
        process = psutil.Process(pid)
        # An ended process is listed until its parent takes note, which the first process of a container may never do.
        return bool(_started(process) != started or process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def lives_elsewhere(run: dg.DagsterRun) -> bool:
    """Say whether the run lives in a process on another machine or in another container."""
    if PROCESS_TAG not in run.tags:
        return False
    machine, _, _, run_id = json.loads(run.tags[PROCESS_TAG])
    return bool(machine != _machine() and run_id == run.run_id)


def _machine() -> str:
    """Where process numbers mean the same: the machine and the container, which may have the machine's name."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # only Linux has containers of this kind
        return socket.gethostname()


def _started(process: psutil.Process) -> float:
    """Seconds from the system's start to the process's: they stay the same when somebody sets the clock."""
    return float(round(process.create_time() - psutil.boot_time(), 2))
