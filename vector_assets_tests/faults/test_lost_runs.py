"""A run that is taken for lost and lives on: it stores nothing more, and is not green."""

import signal
from datetime import timedelta

import dagster as dg
import psutil
import pytest

from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.errors import LeaseLost

from ..fakes import FakeServices, rows
from ..forked_programs import ForkedProgram
from .places import CHUNKS, SECONDS, VECTORS, Place, eventually, finish, run
from .test_two_at_once import recorded

_BATCH = 30
_LEASES = "SELECT run_id FROM partition_leases"
# An event that is half recorded has its asset's row, for which the next run would wait.
_DAGSTERS_STORAGE_AT_WORK = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() || '_dagster' AND state <> 'idle'
"""
# What a process sent just before it was stopped, the server may not have read yet.
_TIME_TO_READ = "SELECT pg_sleep(0.5)"


def test_a_run_that_was_stopped_finds_its_lease_taken(place: Place) -> None:
    """Row: a run is stopped for longer than its lease holds, another run finishes the partition, the first goes on."""
    with place.started_run("embed", _BATCH) as first, place.services() as services:
        assert first.stdout.readline() == "embed\n"
        _stop(first, services)
        expire = "UPDATE partition_leases SET expires_at = now() - interval '1 s' RETURNING run_id"
        ((first_id,),) = rows(services.database, expire)

        second = run(services)

        first.send_signal(signal.SIGCONT)
        assert str(LeaseLost()) in first.communicate("\n", SECONDS)[0]
        _check_second_has_finished(services, first_id, second.error)
    finish(place, pending=0, later=timedelta(0))


def test_a_run_that_dagster_has_given_up_stays_failed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: Dagster marks a run as failed, as when its node is lost, while its process lives on."""
    monkeypatch.setenv("VECTOR_ASSETS_LEASE_SECONDS", "1")
    with place.started_run("embed", _BATCH) as first, place.services() as services:
        assert first.stdout.readline() == "embed\n"
        ((first_id,),) = rows(services.database, _LEASES)
        with recorded_runs(services, SilentListener()):
            instance = dg.DagsterInstance.get()
            instance.report_run_failed(instance.get_run_by_id(first_id), "the node is lost")

        second = run(services)

        assert str(LeaseLost()) in first.communicate("\n", SECONDS)[0]
        _check_second_has_finished(services, first_id, second.error)
    finish(place, pending=0, later=timedelta(0))


def _stop(run: ForkedProgram, services: FakeServices) -> None:
    """Stop the process, whatever it has begun in the product's tables, but at a moment when it records no event."""

    def is_stopped_in_silence() -> bool:
        run.send_signal(signal.SIGSTOP)
        eventually(lambda: psutil.Process(run.pid).status() == psutil.STATUS_STOPPED)
        rows(services.database, _TIME_TO_READ)
        if not rows(services.database, _DAGSTERS_STORAGE_AT_WORK):
            return True
        run.send_signal(signal.SIGCONT)
        return False

    eventually(is_stopped_in_silence)


def _check_second_has_finished(services: FakeServices, first_id: str, error: str | None) -> None:
    first, second = recorded(services)
    assert error is None
    assert (first.run_id, first.status) == (first_id, dg.DagsterRunStatus.FAILURE)
    assert second.status == dg.DagsterRunStatus.SUCCESS
    counts = dict(rows(services.database, f"SELECT run_id, count(*) FROM {VECTORS} GROUP BY run_id"))
    assert counts == {first_id: CHUNKS - counts[second.run_id], second.run_id: counts[second.run_id]}
    assert counts[second.run_id] == len(services.embedder.embedded) == len(set(services.embedder.embedded))
