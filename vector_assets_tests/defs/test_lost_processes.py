"""A tick ends runs whose process is gone, so that their partitions are requested again."""

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import dagster as dg

from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.jobs import vectorize
from vector_assets.defs.run_history import Runs
from vector_assets.defs.runtime.run_processes import PROCESS_TAG, signature
from vector_assets.defs.sensors import new_chunks_sensor
from vector_assets.domain.partition_keys import PartitionKey

from ..fakes import FakeServices, store_chunks
from .conftest import CN, US
from .test_sensors import RANGE, add_run, requested, tick

_EXPIRED = timedelta(seconds=-1)


def test_a_run_whose_process_was_killed_frees_its_partition(
    instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """Promise 10: it is marked as failed; a run whose process lives is left alone."""
    store_chunks(services.database, ["a"], US)
    host, pid, created, _ = json.loads(signature("any")[PROCESS_TAG])

    def started(key: str, *process: object) -> str:
        run_id = add_run(instance, key, dg.DagsterRunStatus.STARTED)
        instance.add_run_tags(run_id, {PROCESS_TAG: json.dumps([*process, run_id])})
        return run_id

    lost = started(str(US), host, _a_pid_that_is_free(), created)
    lost_too = started("us/annual_report/XREUSED", host, os.getpid(), created - 1)  # the number is another's by now
    far = started("us/annual_report/XFAR", "another host", 1, created)
    contained = started("us/annual_report/XINSIDE", f"{socket.gethostname()} pid:[1]", 1, created)  # in a container
    alive = started(str(CN), host, pid, created)

    tick(new_chunks_sensor, instance, services)

    for run_id in (lost, lost_too):
        assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.FAILURE
    for run_id in (alive, far, contained):
        assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.STARTED


def test_a_run_on_another_machine_frees_its_partition_when_its_lease_has_expired(
    instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """Nothing else may say that a node is cut off. A run here may only be stopped; a renewal is a sign of life."""
    store_chunks(services.database, ["a"], US)
    host, pid, created, _ = json.loads(signature("any")[PROCESS_TAG])

    def started(key: PartitionKey, period: timedelta, *process: object) -> str:
        run_id = add_run(instance, str(key), dg.DagsterRunStatus.STARTED)
        instance.add_run_tags(run_id, {PROCESS_TAG: json.dumps([*process, run_id])})
        services.leases.take(key, services.space.slug, run_id, period)
        return run_id

    silent = started(US, _EXPIRED, "another host", 1, created)
    in_time = started(RANGE[0], timedelta(minutes=1), "another host", 1, created)
    stopped = started(RANGE[1], _EXPIRED, host, pid, created)

    while_it_ends = tick(new_chunks_sensor, instance, services)

    statuses = [instance.get_run_by_id(run_id).status for run_id in (silent, in_time, stopped)]
    assert statuses == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTED]
    assert requested(while_it_ends) == []  # it rests as after any failure
    later = datetime.now(UTC) + timedelta(seconds=70)
    assert Runs(instance).partitions_resting(VECTORIZED_CHUNKS, vectorize.name, later) == set()


def test_a_run_executed_again_is_not_taken_for_the_former_one(
    instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """Dagster copies the tags of a killed run to its retry, which signs with its own process a little later."""
    store_chunks(services.database, ["a"], US)
    host, _, created, _ = json.loads(signature("any")[PROCESS_TAG])
    of_the_former = json.dumps([host, _a_pid_that_is_free(), created, "the former run"])
    retry = add_run(instance, str(US), dg.DagsterRunStatus.STARTED, **{PROCESS_TAG: of_the_former})

    result = tick(new_chunks_sensor, instance, services)

    assert instance.get_run_by_id(retry).status == dg.DagsterRunStatus.STARTED
    assert requested(result) == []


def _a_pid_that_is_free() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
