"""Two runs of one partition, a lock that is lost, a migration in the middle: nothing is done wrong."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.errors import LeaseLost, PartitionBusy
from vector_assets.storage import partition_locks as locks
from vector_assets.storage.migrate import migrate
from vector_assets.storage.partition_locks import PartitionLocks

from ..fakes import KEY, SPACE, FakeServices, rows
from ..forked_programs import ForkedProgram
from ..storage.test_migrate import add_migration
from .places import CHUNKS, SECONDS, VECTORS, Place, administrator, asked_for, eventually, finish, once, program, run

_BATCH = 30
_NOW = timedelta(0)
_OF_RUNS = "FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'vector_assets run %%'"
_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"


class AtBatches(SilentListener):
    """Does something where a batch's progress is told, so that the run goes on only when it is done."""

    def __init__(self, acts: dict[int, Callable[[], object]]) -> None:
        self._acts = acts

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        self._acts.get(progress.batch_num, lambda: None)()


def recorded(services: FakeServices) -> list[dg.DagsterRun]:
    """Dagster's runs, the first one first."""
    with recorded_runs(services, SilentListener()):
        return list(dg.DagsterInstance.get().get_runs())[::-1]


def log_of(services: FakeServices, run_id: str) -> list[str]:
    """What stands on the run's page."""
    with recorded_runs(services, SilentListener()):
        return [entry.user_message for entry in dg.DagsterInstance.get().all_logs(run_id)]


def go_on(child: ForkedProgram) -> None:
    """To its end, which is a good one."""
    assert child.communicate("\n", SECONDS)[0] == "ok\n"


def end_lock(place: Place) -> None:
    """End the connection that holds the partition, and wait until it is gone."""
    with administrator(place.url) as admin:
        ended = admin.execute(f"SELECT pg_terminate_backend(pid, 5000) {_OF_RUNS}", [place.url.database]).fetchall()
    assert ended == [(True,)]


def test_two_runs_the_second_gives_way(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: two runs of one partition. The second fails with the name of the first, which alone has done the work."""
    with place.started_run("embed", _BATCH) as first, place.services() as services:
        assert first.stdout.readline() == "embed\n"
        monkeypatch.setitem(services.__dict__, "partition_locks", PartitionLocks(services.database, wait_seconds=0))

        result = run(services)

        assert asked_for(services) == []
        go_on(first)
        runs = recorded(services)
        assert result.error is not None
        assert result.error.startswith(f"{KEY} is being vectorized by vector_assets run {runs[0].run_id} ")
        assert [each.status for each in runs] == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
        assert services.embedder.embedded == []
        made_by = rows(services.database, f"SELECT run_id, count(*) FROM {VECTORS} GROUP BY run_id")
        assert made_by == [(runs[0].run_id, CHUNKS)]

    finish(place, pending=0)


def test_two_runs_the_first_ends_while_the_second_waits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: two runs of one partition. The second waits a little, and finds nothing to do."""
    with (
        ThreadPoolExecutor(1) as pool,
        place.started_run("embed", _BATCH) as first,
        place.services() as services,
        administrator(place.url) as admin,
    ):
        assert first.stdout.readline() == "embed\n"
        monkeypatch.setitem(
            services.__dict__, "partition_locks", PartitionLocks(services.database, wait_seconds=SECONDS)
        )
        count = f"SELECT count(*) {_OF_RUNS}"

        def let_first_end() -> None:
            eventually(lambda: admin.execute(count, [place.url.database]).fetchone() == (2,))
            go_on(first)

        letting = pool.submit(let_first_end)
        result = run(services)

        letting.result()
        assert result.error is None
        assert (result.report.vectorized_count, result.status.current) == (0, CHUNKS)
        assert services.embedder.embedded == []

    finish(place, pending=0, later=_NOW)


def test_the_lock_is_lost_and_taken_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: the lock's connection is cut in the middle. A line says so, and from the next batch on it is held again."""
    monkeypatch.setattr(locks, "_BETWEEN_LOOKS_SECONDS", 0)
    with place.services() as services:

        def be_refused() -> None:
            with (
                pytest.raises(PartitionBusy),
                PartitionLocks(services.database, wait_seconds=0).held(KEY, SPACE.slug, "another"),
            ):
                pass

        result = run(services, AtBatches({_BATCH: lambda: end_lock(place), _BATCH + 1: be_refused}))

        assert result.error is None
        assert result.report.callback_errors == 0
        assert result.report.vectorized_count == len(services.embedder.embedded) == CHUNKS
        assert [line for line in log_of(services, result.run_id) if "was lost" in line] == [
            f"the connection that held {KEY} for this run was lost; it is held again"
        ]
    finish(place, pending=0, later=_NOW)


def test_the_lock_is_lost_to_another_run(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: the lock is lost, and another run is faster. It has the lease too: the first run ends and is not green."""
    monkeypatch.setattr(locks, "_BETWEEN_LOOKS_SECONDS", 0)
    with place.services() as services, ExitStack() as children:
        others: list[ForkedProgram] = []

        def lose_it() -> None:
            end_lock(place)
            others.append(children.enter_context(place.started_run("embed", 1)))
            assert others[0].stdout.readline() == "embed\n"

        def let_it_go_on() -> None:
            others[0].stdin.write("\n")
            others[0].stdin.flush()

        result = run(services, AtBatches({_BATCH: lose_it, _BATCH + 1: let_it_go_on}))

        assert others[0].communicate(timeout=SECONDS)[0] == "ok\n"
        assert result.error == str(LeaseLost())
        statuses = [each.status for each in recorded(services)]
        assert statuses == [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS]
    finish(place, pending=0, later=_NOW)


def test_a_migration_in_the_middle(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: a migration while a run is at work. It waits for somebody who reads, the run for it; then both go on."""
    with ThreadPoolExecutor(2) as pool, program(place) as reader, place.services() as services:
        _ = services.database  # is at the version before
        add_migration(tmp_path, monkeypatch)

        def migrate_behind_reader() -> None:
            reader.execute("LOCK TABLE document_chunks IN ACCESS SHARE MODE")
            migrating = pool.submit(migrate, place.url)
            with administrator(place.url) as admin:
                eventually(lambda: admin.execute(_BLOCKED, [place.url.database]).fetchone() >= (2,))
            reader.commit()
            migrating.result()

        begun: list[Future[None]] = []
        services.embedder.before = once(_BATCH, lambda: begun.append(pool.submit(migrate_behind_reader)))

        result = run(services)

        begun[0].result()
        assert result.error is None
        assert result.report.vectorized_count == len(services.embedder.embedded) == CHUNKS
        assert rows(services.database, "SELECT version_num FROM alembic_version") == [("9001",)]
    finish(place, pending=0, later=_NOW)
