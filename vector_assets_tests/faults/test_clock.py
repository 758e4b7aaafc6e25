"""The clock is set back, or was wrong: nothing is lost, and nothing is repeated for ever."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import dagster as dg
import psutil
import pytest

from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.jobs import vectorize
from vector_assets.defs.run_history import Runs
from vector_assets.defs.runtime.run_processes import has_lost_its_process, signature
from vector_assets.storage.quarantine import Quarantine

from ..defs.test_sensors import add_run
from ..fakes import KEY, SPACE, HashEmbedder, rows, store_chunks
from ..invariants import check_invariants
from .places import CHUNKS, Place, asked_for, finish, program, run

_DAY = timedelta(days=1)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Forgets everything at the end."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_rows_dated_tomorrow(place: Place) -> None:
    """Row: the clock is set back, so that all that was stored is of tomorrow. What is edited now is embedded, once."""
    with place.services() as services:
        assert run(services).error is None
    with program(place) as connection:
        connection.execute("SET session_replication_role = replica")  # no trigger dates it anew
        connection.execute("UPDATE documents SET created_at = now() + '1 day', updated_at = now() + '1 day'")
        connection.execute("UPDATE document_chunks SET created_at = now() + '1 day', updated_at = now() + '1 day'")
        connection.execute(f"UPDATE chunk_vectors_{SPACE.slug} SET created_at = now() + '1 day'")
    with place.services() as services:
        check_invariants(services.database, HashEmbedder())
        assert asked_for(services) == []
        rows(services.database, "UPDATE document_chunks SET text = text || ' edited' WHERE chunk_index < 10")

    finish(place, pending=10, later=timedelta(0))


def test_a_second_attempt_of_tomorrow_can_be_had_today(place: Place) -> None:
    """Row: the clock is set back after a chunk failed: it stays pending and listed, and `retry-failed` makes it due."""
    with place.services() as services:
        store_chunks(services.database, ["POISON"], KEY, "b.txt")
        assert run(services).report.failed_count == 1
        quarantine = Quarantine(services.database)
        rows(services.database, "UPDATE pending_chunks SET next_attempt_at = now() + '1 day'")
        assert run(services).report.processed == 0
        assert len(check_invariants(services.database, HashEmbedder()).pending) == 1

        assert len(quarantine.release(SPACE.slug, [KEY])) == 1
        services.embedder.poison = "no text has this"
        assert run(services).report.vectorized_count == 1

        assert len(check_invariants(services.database, services.embedder).current) == CHUNKS + 1


@pytest.mark.skipif(sys.platform != "linux", reason="when the system was started is asked in another way elsewhere")
@pytest.mark.parametrize("step", [-_DAY, timedelta(seconds=1), _DAY])
def test_a_run_at_work_is_not_taken_for_a_killed_one(instance: dg.DagsterInstance, step: timedelta) -> None:
    """Row: the clock is set back or forth while a run is at work: it is left alone, and no second one begins."""
    run_id = add_run(instance, str(KEY), dg.DagsterRunStatus.STARTED)
    instance.add_run_tags(run_id, signature(run_id))
    before = psutil.boot_time()

    # The system knows when it was started, and when a process was, only as so long ago.
    with patch("psutil._pslinux.boot_time", lambda: before + step.total_seconds()):
        lost = has_lost_its_process(instance.get_run_by_id(run_id))

    assert not lost


def test_a_failure_of_tomorrow_keeps_nobody_waiting_until_then(instance: dg.DagsterInstance) -> None:
    """Row: the clock is set back after a run has failed. Its partition rests for an hour at most, as at any time."""
    add_run(instance, str(KEY), dg.DagsterRunStatus.FAILURE)
    set_back = datetime.now(UTC) - _DAY

    resting = Runs(instance).partitions_resting(VECTORIZED_CHUNKS, vectorize.name, set_back + timedelta(minutes=61))

    assert resting == set()


def test_a_failure_of_the_next_moment_counts(instance: dg.DagsterInstance) -> None:
    """Another clock dated it, or it ended after the sensor looked at its own: its partition rests all the same."""
    add_run(instance, str(KEY), dg.DagsterRunStatus.FAILURE)
    looked = datetime.now(UTC) - timedelta(seconds=5)

    assert Runs(instance).partitions_resting(VECTORIZED_CHUNKS, vectorize.name, looked) == {str(KEY)}
