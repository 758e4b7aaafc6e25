"""What passes is tried again, what does not is reported at once; a partition is one run's at a time."""

import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.storage.tags import MAX_RETRIES_TAG, WILL_RETRY_TAG
from pydantic import SecretStr
from sqlalchemy import URL, make_url

from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from vector_assets.defs.partitions import register
from vector_assets.defs.resources import SilentListener, run_resources
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.defs.sensors import landing_sensor, new_chunks_sensor
from vector_assets.defs.step_failures import STEP_RETRIES
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.errors import DatabaseFailed, InvalidSetting
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.database_creation import ensure_database
from vector_assets.storage.embedded_server import leave_embedded_server
from vector_assets.storage.partition_locks import PartitionLocks
from vector_assets.storage.retries import Retries

from ..fakes import SPACE, FakeServices, HashEmbedder, rows
from ..forked_programs import ForkedProgram
from ..storage.proxy import Proxy
from ..storage.servers import OwnServer, connect
from .conftest import CHAIN, US, land, sentences
from .test_assets import failure, materialize, metadata
from .test_sensors import add_run, tick

ALL = [DOCUMENTS, DOCUMENT_CHUNKS, VECTORIZED_CHUNKS]


class Pauses:
    """The waits of storage are over at once; the pauses before another attempt of the step are counted."""

    def __init__(self) -> None:
        self.of_steps = 0
        self.act: Callable[[], None] = lambda: None

    def pause(self, seconds: float) -> None:
        if seconds >= 10:
            self.of_steps += 1
            self.act()


@pytest.fixture
def pauses() -> Pauses:
    """The waits of this module's services."""
    return Pauses()


@pytest.fixture
def retries(pauses: Pauses) -> Retries:
    """They end at once."""
    return Retries(pause=pauses.pause)


class ImpatientServices(FakeServices):
    """Services whose runs do not wait for a partition that another run has."""

    @cached_property
    def partition_locks(self) -> PartitionLocks:
        return PartitionLocks(self.database, wait_seconds=0)


def count(result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> int:
    return sum(event.event_type == kind for event in result.all_events)


@pytest.fixture
def in_the_way(services: FakeServices, instance: dg.DagsterInstance, filings: Path) -> Iterator[Callable[[], None]]:
    """Another program holds what every commit needs, and a time limit strikes; call it to make the other one end."""
    materialize(instance, services, US, {"limit": 1})
    with connect(services.url) as other:
        other.execute(f"ALTER DATABASE {services.url.database} SET statement_timeout = '100ms'")
        services.database.close()
        other.execute("BEGIN")
        other.execute("LOCK TABLE embedding_spaces")
        yield other.rollback


def test_a_step_that_failed_on_what_passes_is_tried_again(
    instance: dg.DagsterInstance, services: FakeServices, pauses: Pauses, in_the_way: Callable[[], None]
) -> None:
    """In the same run, which then does the rest and turns the partition green."""
    pauses.act = in_the_way

    result = materialize(instance, services, US)

    assert result.success
    assert (pauses.of_steps, count(result, dg.DagsterEventType.STEP_UP_FOR_RETRY)) == (1, 1)
    assert metadata(result, VECTORIZED_CHUNKS)["coverage_percent"] == 100.0


def test_a_step_is_not_tried_for_ever(
    instance: dg.DagsterInstance, services: FakeServices, pauses: Pauses, in_the_way: Callable[[], None]
) -> None:
    """Then the run says in one line what stood in the way."""
    result = materialize(instance, services, US)

    assert not result.success
    assert pauses.of_steps == STEP_RETRIES
    assert "57014" in failure(result)
    assert "\n" not in failure(result)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"ALTER TABLE chunk_vectors_{SPACE.slug} RENAME TO elsewhere", "42P01"),
        ("UPDATE embedding_spaces SET weights_digest = 'another'", "Restore the former weights"),
    ],
)
def test_what_does_not_pass_fails_the_run_at_once(
    statement: str, words: str, instance: dg.DagsterInstance, services: FakeServices, pauses: Pauses, filings: Path
) -> None:
    """A table that is gone, weights that changed."""
    materialize(instance, services, US, {"limit": 1})
    rows(services.database, statement)

    result = materialize(instance, services, US)

    assert words in failure(result)
    assert (pauses.of_steps, count(result, dg.DagsterEventType.STEP_UP_FOR_RETRY)) == (0, 0)


@pytest.mark.usefixtures("dagster_database", "_environment")
def test_a_mistyped_config_is_called_that(services: FakeServices) -> None:
    """And not a fault of the database."""
    with recorded_runs(services, SilentListener()) as runs:
        runs.prepare([US])

        with pytest.raises(InvalidSetting, match="bath_size"):
            runs.run(US, [VECTORIZED_CHUNKS], {"bath_size": 3})


def test_a_partition_that_another_run_is_at_is_refused(
    instance: dg.DagsterInstance, database_url: URL, tmp_path: Path, retries: Retries, pauses: Pauses, filings: Path
) -> None:
    """With the other run's id and without another attempt, for the other run does the work; then it is free."""
    with ImpatientServices(database_url, tmp_path / "home", filings, retries=retries) as services:
        with services.partition_locks.held(US, SPACE.slug, "the-other-run"):
            result = materialize(instance, services, US)

        assert "run the-other-run" in failure(result)
        assert str(US) in failure(result)
        assert pauses.of_steps == 0
        assert services.embedder.embedded == []
        assert materialize(instance, services, US).success


def test_a_lock_that_is_lost_in_mid_run_is_shown_on_the_run_page(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And costs nothing else."""
    monkeypatch.setattr("vector_assets.storage.partition_locks._BETWEEN_LOOKS_SECONDS", 0)
    end = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'vector_assets run %'"
    )
    ended: list[object] = []

    def end_once(_: list[str]) -> None:
        if not ended:
            ended.extend(rows(services.database, end))

    services.embedder.before = end_once

    result = materialize(instance, services, US, {"batch_size": 4})

    assert ended
    assert metadata(result, VECTORIZED_CHUNKS)["vectorized"] == 10
    messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert any("it is held again" in message for message in messages)


@pytest.mark.parametrize("sensor", [new_chunks_sensor, landing_sensor])
def test_a_tick_without_a_database_is_one_line(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, tmp_path: Path, landing: Path
) -> None:
    """The next tick asks again."""
    nowhere = URL.create("postgresql+psycopg", "me", "topsecret", "127.0.0.1", 1, "db")

    result = tick(sensor, instance, FakeServices(nowhere, tmp_path / "home", landing))

    assert isinstance(result, dg.SkipReason)
    assert "cannot reach the database" in result.skip_message
    assert "\n" not in result.skip_message
    assert "topsecret" not in result.skip_message


def test_a_run_without_a_database_is_one_line(instance: dg.DagsterInstance, tmp_path: Path, landing: Path) -> None:
    """Also where the step that vectorizes is the first to ask for it, and with it for its model."""
    nowhere = URL.create("postgresql+psycopg", "me", "topsecret", "127.0.0.1", 1, "db")
    pauses = Pauses()
    register(instance, [US])

    result = dg.materialize(
        CHAIN[-1:],
        partition_key=str(US),
        instance=instance,
        resources=run_resources(
            FakeServices(nowhere, tmp_path / "home", landing, retries=Retries(seconds=0, pause=pauses.pause)),
            SilentListener(),
        ),
        raise_on_error=False,
    )

    assert "cannot reach the database" in failure(result)
    assert "\n" not in failure(result)
    assert pauses.of_steps == STEP_RETRIES


def test_a_model_that_is_not_found_is_one_line(
    instance: dg.DagsterInstance, database_url: URL, tmp_path: Path, filings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is registered for it."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    secret = SecretStr(database_url.render_as_string(hide_password=False))
    settings = load_settings(database_url=secret, home=tmp_path, landing_dir=filings, embedding_model="org/none")

    with Services(settings) as services:
        result = dg.materialize(
            CHAIN[-1:],
            partition_key=str(US),
            instance=instance,
            resources=run_resources(services, SilentListener()),
            raise_on_error=False,
        )

        assert "unknown model 'org/none'" in failure(result)
        assert "\n" not in failure(result)
        assert services.spaces.all() == []


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What recorded runs set is undone."""
    for variable in ("DAGSTER_HOME", "VECTOR_ASSETS_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)


class AtBatch(SilentListener):
    """Does something once, when a batch was committed."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self._number, self._act = number, act

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        if progress.batch_num == self._number:
            self._act()


@pytest.fixture
def own() -> Iterator[OwnServer]:
    with tempfile.TemporaryDirectory() as home:
        yield OwnServer(Path(home))
        leave_embedded_server(Path(home))


@pytest.mark.usefixtures("_environment")
def test_a_run_survives_a_restart_of_the_server_that_holds_dagsters_storage_too(own: OwnServer, landing: Path) -> None:
    """The server is gone from one batch to the next; the run ends green, with its events."""
    land(landing, US, "2024.txt", sentences(12))
    with FakeServices(own.url, own.home, landing) as services:
        embedded = 0

        def before(_: list[str]) -> None:
            nonlocal embedded
            embedded += 1
            if embedded == 2:
                own.stop()
                threading.Thread(target=own.start).start()

        services.embedder.before = before
        with recorded_runs(services, SilentListener()) as runs:
            runs.prepare([US])

            result = runs.run(US, ALL, {"batch_size": 4, "progress_interval_seconds": 0})

        assert result.error is None
        assert result.report.vectorized_count == 12
        assert len(services.embedder.embedded) == 12
        (run,) = dg.DagsterInstance.get().get_runs()
        assert run.status == dg.DagsterRunStatus.SUCCESS


@pytest.mark.usefixtures("_environment")
def test_a_storage_of_dagsters_that_stays_away_is_one_line(
    own: OwnServer, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends; there is no traceback to read, and no partition after the other to wait for."""
    monkeypatch.setattr("dagster_postgres.utils.calculate_delay", lambda **_: 0.01)
    monkeypatch.setattr("vector_assets.defs.step_failures._PAUSE_SECONDS", 0.01)
    land(landing, US, "2024.txt", sentences(12))
    with FakeServices(own.url, own.home, landing, retries=Retries(seconds=0)) as services:
        with recorded_runs(services, AtBatch(1, own.stop)) as runs:
            runs.prepare([US])

            with pytest.raises(DatabaseFailed, match="Dagster's storage failed") as caught:
                runs.run(US, ALL, {"batch_size": 4})

        assert "\n" not in str(caught.value)
        own.start()


@pytest.mark.usefixtures("_environment")
def test_a_wait_for_the_database_ends_when_somebody_asks_to_stop(
    proxy: Proxy, database_url: URL, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is recorded as canceled; what was committed stays."""
    land(landing, US, "2024.txt", sentences(12))
    stop = threading.Event()
    far = database_url.set(host="127.0.0.1", port=proxy.port, query={"sslmode": "disable", "gssencmode": "disable"})
    dagsters = database_url.set(database=f"{database_url.database}_dagster", drivername="postgresql+psycopg2")

    def dark() -> None:
        proxy.dark()
        stop.set()

    ensure_database(dagsters)
    monkeypatch.setenv("VECTOR_ASSETS_DAGSTER_DATABASE_URL", dagsters.render_as_string(hide_password=False))
    with FakeServices(far, tmp_path / "home", landing, retries=Retries(ended=stop)) as services:
        embedded = 0

        def before(_: list[str]) -> None:
            nonlocal embedded
            embedded += 1
            if embedded == 3:
                dark()

        services.embedder.before = before
        with recorded_runs(services, SilentListener()) as runs:
            runs.prepare([US])

            runs.run(US, ALL, {"batch_size": 2})

        (run,) = dg.DagsterInstance.get().get_runs()
        assert run.status == dg.DagsterRunStatus.CANCELED


# A run on the main thread of its process, as Dagster starts it.


def main(url: str, home: str, filings: str) -> None:
    """Materialize a partition over a network that goes dark; who waits for it first is interrupted, as by Dagster."""
    server = make_url(url)
    proxy = Proxy(Path(str(server.query["host"])) / ".s.PGSQL.5432")
    far = server.set(host="127.0.0.1", port=proxy.port, query={"sslmode": "disable", "gssencmode": "disable"})
    ended, waited = threading.Event(), []

    def interrupted_while_waiting(_: float) -> None:
        if not waited:
            os.kill(os.getpid(), signal.SIGINT)
        waited.append(ended.wait(3600))

    embedder = HashEmbedder()
    embedder.before = lambda _: proxy.dark() if len(embedder.embedded) == 2 else None
    retries = Retries(seconds=3600, ended=ended, pause=interrupted_while_waiting)
    services = FakeServices(far, Path(home), Path(filings), embedder, retries)
    with dg.DagsterInstance.ephemeral() as instance, services:
        register(instance, [US])
        result = materialize(instance, services, US, {"batch_size": 2})
        print(result.success, waited, flush=True)


def test_a_canceled_run_does_not_wait_for_the_database(database_url: URL, tmp_path: Path, filings: Path) -> None:
    """Dagster interrupts the main thread, while it is other threads that wait."""
    url = database_url.render_as_string(hide_password=False)

    with ForkedProgram(__name__, url, str(tmp_path / "home"), str(filings), with_errors=True) as child:
        printed, errors = child.communicate(timeout=120)

    assert re.fullmatch(r"False \[True(, True)*\]\n", printed), errors


@pytest.mark.usefixtures("_environment")
def test_only_a_run_that_lost_its_process_is_started_again_and_once(
    database_url: URL, tmp_path: Path, landing: Path
) -> None:
    """As the shipped dagster.yaml says: not one whose step failed, nor one of the command line."""
    with FakeServices(database_url, tmp_path / "home", landing) as services, open_instance(services) as instance:

        def will_retry(reason: RunFailureReason, **tags: str) -> str:
            run_id = add_run(instance, str(US), dg.DagsterRunStatus.STARTED, **tags)
            data = JobFailureData(error=None, failure_reason=reason)
            instance.report_run_failed(instance.get_run_by_id(run_id), "failed", data)
            return instance.get_run_by_id(run_id).tags[WILL_RETRY_TAG]

        assert instance.run_retries_max_retries == 1
        assert will_retry(RunFailureReason.UNKNOWN) == "true"
        assert will_retry(RunFailureReason.STEP_FAILURE) == "false"
        assert will_retry(RunFailureReason.UNKNOWN, **{MAX_RETRIES_TAG: "0"}) == "false"
