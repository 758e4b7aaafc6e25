"""What we use of Dagster's private API, each with what of ours breaks when a release changes it."""

import ast
import inspect
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.test_utils import create_run_for_test
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.types import DaemonHeartbeat
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage
from sqlalchemy import URL
from sqlalchemy.pool import NullPool

import vector_assets
from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.partitions import PARTITIONS, register
from vector_assets.defs.runtime import tags
from vector_assets.defs.runtime.backfills import Backfills, BackfillState
from vector_assets.defs.runtime.check_evaluations import latest_materialization
from vector_assets.defs.runtime.failed_partitions import failed_partitions
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.defs.runtime.run_origin import ORIGIN_TAG, command_tags, record_origin
from vector_assets.defs.runtime.storage_connections import engine_of, kept_connections

from ...fakes import FakeServices
from ..conftest import CN, US

PACKAGE = Path(vector_assets.__file__).parent


def private_uses(source: str) -> Iterator[str]:
    """Modules of Dagster with a leading underscore, and attributes with one of anything but self and cls."""
    for node in ast.walk(ast.parse(source)):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        yield from (name for name in modules if name.startswith(("dagster._", "dagster_postgres")))
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner not in {"self", "cls", "os"}:
                yield f"{owner}.{node.attr}"


def test_private_uses_stand_in_runtime_only() -> None:
    """Whoever moves to another release of Dagster reads one package."""
    sources = [*PACKAGE.glob("defs/**/*.py"), *PACKAGE.glob("cli/*.py"), *PACKAGE.glob("*.py")]
    found = {str(path.relative_to(PACKAGE)): uses for path in sources if (uses := list(private_uses(path.read_text())))}

    assert found
    assert {name for name in found if not name.startswith("defs/runtime/")} == set(), str(found)


@pytest.mark.parametrize(
    ("tag", "value", "breaks"),
    [
        (tags.PARTITION_TAG, "dagster/partition", "sensors request partitions again that have a run under way"),
        (tags.RANGE_START_TAG, "dagster/asset_partition_range_start", "runs over ranges start without partitions"),
        (tags.RANGE_END_TAG, "dagster/asset_partition_range_end", "runs over ranges start without partitions"),
        (tags.PRIORITY_TAG, "dagster/priority", "what a sensor requests waits behind a backfill's runs"),
        (tags.MAX_RETRIES_TAG, "dagster/max_retries", "runs of the command line are started again by a daemon"),
        (tags.HIDDEN_TAG_PREFIX, ".dagster/", "the Runs page shows the process of each run"),
    ],
)
def test_tags_have_the_names_that_stored_runs_have(tag: str, value: str, breaks: str) -> None:
    """A release that renames one leaves the runs of before with the old name."""
    assert tag == value, breaks


def test_materializations_carry_the_data_version_tag(instance: dg.DagsterInstance) -> None:
    """Without it, Dagster takes an unchanged partition for a changed one."""

    @dg.asset
    def versioned() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(data_version=dg.DataVersion("1"))

    (event,) = dg.materialize([versioned], instance=instance).get_asset_materialization_events()

    assert event.materialization.tags is not None
    assert event.materialization.tags[tags.DATA_VERSION_TAG] == "1", "partitions have no data version"


@pytest.fixture
def postgres_instance(
    database_url: URL, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """With its storage on PostgreSQL, as the command line opens it."""
    for variable in ("DAGSTER_HOME", "VECTOR_ASSETS_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(variable, "")  # so that what is set by opening it is undone
        monkeypatch.delenv(variable)
    with FakeServices(database_url, tmp_path / "home", landing) as services, open_instance(services) as instance:
        yield instance


@pytest.mark.parametrize("storage", [PostgresEventLogStorage, PostgresRunStorage])
def test_the_hook_for_the_webserver_takes_what_we_give_it(storage: type) -> None:
    """It is called by position."""
    parameters = list(inspect.signature(storage.optimize_for_webserver).parameters)

    breaks = "each event of a run opens a connection, and progress costs more than 1 % of the run"
    assert parameters == ["self", "statement_timeout", "pool_recycle", "max_overflow"], breaks


def test_the_hook_for_the_webserver_keeps_connections(postgres_instance: dg.DagsterInstance) -> None:
    """And a connection that was cut meanwhile is replaced, which Dagster itself would not do."""
    storages = [postgres_instance.event_log_storage, postgres_instance.run_storage]
    assert {type(engine_of(storage).pool) for storage in storages} == {NullPool}

    with kept_connections(postgres_instance):
        engines = [engine_of(storage) for storage in storages]
        postgres_instance.get_runs()
        postgres_instance.add_dynamic_partitions("any", ["key"])
        breaks = "each event of a run opens a connection, and progress costs more than 1 % of the run"
        assert [engine.pool.checkedin() for engine in engines] == [1, 1], breaks
        for engine in engines:
            with engine.connect() as connection:
                connection.connection.dbapi_connection.close()
        assert postgres_instance.get_runs() == [], "a run loses events when the server is restarted"
        assert postgres_instance.get_dynamic_partitions("any") == ["key"]

    assert [engine.pool.checkedin() for engine in engines] == [0, 0], "the process keeps connections of ended runs"


def test_an_instance_can_be_opened_without_compute_logs(postgres_instance: dg.DagsterInstance) -> None:
    """By overriding what dagster.yaml says."""
    breaks = "the command line starts four processes for each run, to keep what it prints"
    assert isinstance(postgres_instance.compute_log_manager, NoOpComputeLogManager), breaks


@pytest.fixture
def _daemon(instance: dg.DagsterInstance) -> None:
    """As if a daemon had just said that it lives."""
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "BACKFILL", "any", []))


@pytest.mark.usefixtures("_daemon")
def test_a_backfill_can_be_launched_and_read(instance: dg.DagsterInstance) -> None:
    """Through Dagster's storage, without its webserver."""
    backfills = Backfills(instance, 50, VECTORIZED_CHUNKS)

    backfill_id = backfills.launch([US, CN], {"force_revectorize": True}, "a title")

    breaks = "vector-assets backfill --launch"
    assert backfills.targeted() == {str(US): backfill_id, str(CN): backfill_id}, breaks
    assert backfills.state(backfill_id) == BackfillState(frozenset(), frozenset(), None), breaks
    stored = instance.get_backfill(backfill_id)
    assert stored is not None
    assert stored.run_config == {"ops": {"silver__vectorized_chunks": {"config": {"force_revectorize": True}}}}, breaks


def test_failed_partitions_can_be_read(instance: dg.DagsterInstance) -> None:
    """From the cache that Dagster's pages read."""

    @dg.asset(key=VECTORIZED_CHUNKS, partitions_def=PARTITIONS)
    def vectorized_chunks(context: dg.AssetExecutionContext) -> None:
        if context.partition_key == str(US):
            raise RuntimeError("broken")

    register(instance, [US, CN])
    for key in (US, CN):
        dg.materialize([vectorized_chunks], instance=instance, partition_key=str(key), raise_on_error=False)

    assert failed_partitions(instance, VECTORIZED_CHUNKS) == {str(US)}, "vector-assets backfill --failed"


def test_a_check_result_can_name_its_materialization(instance: dg.DagsterInstance) -> None:
    """Dagster shows a check result only beside the newest materialization."""
    register(instance, [US])

    @dg.asset(partitions_def=PARTITIONS, check_specs=[dg.AssetCheckSpec("fine", asset="checked")])
    def checked(context: dg.AssetExecutionContext) -> Iterator[object]:
        yield dg.MaterializeResult()
        context.log_event(
            dg.AssetCheckEvaluation(
                asset_key=context.asset_key,
                check_name="fine",
                passed=True,
                metadata={},
                target_materialization_data=latest_materialization(instance, context.asset_key, str(US)),
                partition=str(US),
            )
        )
        yield dg.Output(None, output_name="checked_fine")

    result = dg.materialize([checked], instance=instance, partition_key=str(US))

    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.target_materialization_data is not None, "the pages show no check results of partitions"
    assert evaluation.target_materialization_data.run_id == result.run_id


def test_a_run_of_a_command_is_of_the_location_that_is_loaded(instance: dg.DagsterInstance) -> None:
    """Broken: the Timeline leaves out the runs that `backfill` and `demo` do themselves, or shows them as another's."""
    by_module = ModuleTarget("vector_assets.code_location", None, None, None).create_origins()
    by_workspace = location_origins_from_yaml_paths([str(PACKAGE.parent / "workspace.yaml")])
    run = create_run_for_test(instance, job_name="any", tags={**command_tags(), **ORIGIN_TAG})

    record_origin(instance, run)

    stored = instance.get_run_by_id(run.run_id)
    assert stored.remote_job_origin.job_name == "any"
    assert stored.tags["origin"] == "command line"
    location = stored.remote_job_origin.repository_origin.code_location_origin
    assert {item.location_name for item in (*by_module, *by_workspace)} == {location.location_name}
    label = f"__repository__@{location.location_name}"
    assert instance.get_runs(dg.RunsFilter(tags={".dagster/repository": label})) == [stored]
