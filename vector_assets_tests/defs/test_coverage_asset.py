"""`gold/coverage`: its figures are the tables', its check keeps the limit, and it runs by itself every hour."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test
from PIL import Image
from sqlalchemy import URL

from vector_assets.defs.asset_keys import COVERAGE, VECTORIZED_CHUNKS
from vector_assets.defs.coverage_asset import (
    COVERAGE_ASSETS,
    MAX_LATE_PARTITIONS,
    check_result,
    coverage_job,
    coverage_sensor,
)
from vector_assets.defs.partitions import PARTITIONS_NAME
from vector_assets.defs.resources import SilentListener, run_resources
from vector_assets.defs.run_history import Runs
from vector_assets.defs.sensors import new_chunks_sensor
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import InvalidSetting
from vector_assets.quality.freshness import Freshness, LatePartition
from vector_assets.settings import load_settings
from vector_assets.storage.last_runs import LastRuns
from vector_assets.storage.retries import Retries

from ..fakes import SPACE, FakeServices, make_vectorizer, quarantine_failed, rows, store_chunks
from .conftest import CHAIN, CN, US
from .test_assets import failure, metadata
from .test_sensors import requested, tick

HK = PartitionKey("hk", "annual_report", "00700")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def materialize(instance: dg.DagsterInstance, services: FakeServices) -> dg.ExecuteInProcessResult:
    """The coverage, after assets that are not run."""
    return dg.materialize(
        [*CHAIN, *COVERAGE_ASSETS],
        selection=[COVERAGE],
        instance=instance,
        resources=run_resources(services, SilentListener()),
        raise_on_error=False,
    )


def evaluation(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    """The one that the run stored."""
    (event,) = result.get_asset_check_evaluations()
    return event


def lines(table: Any) -> list[Mapping[str, Any]]:
    return [record.data for record in table.records]


def vectorize(services: FakeServices, key: PartitionKey) -> None:
    """As a run would."""
    report = make_vectorizer(services.database, services.embedder).vectorize_partition(key, run_id="a run")
    LastRuns(services.database).record(key, SPACE.slug, report)


def age(services: FakeServices, key: PartitionKey, hours: float) -> None:
    """Make the texts of the partition so old, and what is pending there pending for so long."""
    for table, column in (("document_chunks", "updated_at"), ("pending_chunks", "pending_since")):
        statement = f"UPDATE {table} SET {column} = now() - make_interval(secs => %s) WHERE market = %s"
        rows(services.database, statement, hours * 3600, key.market)


@pytest.fixture
def filled(services: FakeServices) -> FakeServices:
    """One partition complete but for a bad chunk, one with an edited chunk, one that no run has seen."""
    store_chunks(services.database, ["a", "b", "POISON"], US)
    store_chunks(services.database, ["c", "d"], HK)
    vectorize(services, US)
    quarantine_failed(services.database, services.embedder, [US])
    vectorize(services, HK)
    store_chunks(services.database, ["董事会", "年度报告", "公告", "其他"], CN)
    rows(services.database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'd'")
    age(services, CN, 3.25)
    return services


def test_the_totals_are_the_tables(instance: dg.DagsterInstance, filled: FakeServices) -> None:
    """Each chunk is counted once; the numbers are ints and floats, for nothing else is plotted."""
    result = materialize(instance, filled)

    assert result.success
    figures = metadata(result, COVERAGE)
    counted = rows(
        filled.database,
        "SELECT count(DISTINCT (market, doc_type, stock_code)), count(*), "
        f"(SELECT count(*) FROM chunk_vectors_{SPACE.slug} v JOIN document_chunks c "
        "ON (c.id, c.content_hash) = (v.chunk_id, v.content_hash)), "
        "(SELECT count(*) FROM pending_chunks WHERE attempts > 0) FROM document_chunks",
    )
    partitions, chunks, current, failures = counted[0]
    assert (figures["partitions"], figures["chunks"], figures["current"]) == (partitions, chunks, current) == (3, 9, 3)
    assert figures["quarantined"] == failures == 1
    assert figures["pending"] == chunks - current - failures == 5
    assert figures["coverage_percent"] == 33.33
    assert figures["oldest_pending_hours"] == pytest.approx(3.25, abs=0.5)
    assert figures["model"] == f"{SPACE.model} ({SPACE.revision})"
    assert {type(figures[name]) for name in ("partitions", "chunks", "current", "pending", "quarantined")} == {int}
    assert {type(figures[name]) for name in ("coverage_percent", "oldest_pending_hours")} == {float}


def test_what_a_server_was_paid_is_shown(instance: dg.DagsterInstance, filled: FakeServices) -> None:
    """By market, document type, company and day; without a server there is no such table."""
    without = metadata(materialize(instance, filled), COVERAGE)
    filled.spending.record(SPACE.slug, HK, 1_200_000, 0.024, "USD")

    shown = lines(metadata(materialize(instance, filled), COVERAGE)["tokens_used"])

    assert "tokens_used" not in without
    assert {line["of"] for line in shown} == {"market", "doc_type", "company", "day"}
    assert {(line["tokens"], line["cost"]) for line in shown} == {(1_200_000, "0.0240 USD")}


def test_each_table_has_those_first_that_lack_most(instance: dg.DagsterInstance, filled: FakeServices) -> None:
    """By market, doc type and company; their counts are the same chunks, added up otherwise."""
    figures = metadata(materialize(instance, filled), COVERAGE)

    assert [(line["market"], line["coverage"]) for line in lines(figures["markets"])] == [
        ("cn", "0%"),
        ("hk", "50.0%"),
        ("us", "66.6%"),
    ]
    assert [line["doc_type"] for line in lines(figures["doc_types"])] == ["announcement", "annual_report"]
    assert [line["company"] for line in lines(figures["companies"])] == ["999001 X", "00700 X", "XTEST X"]
    for name in ("markets", "doc_types", "companies"):
        for count in ("chunks", "current", "pending", "quarantined"):
            assert sum(line[count] for line in lines(figures[name])) == figures[count]
    china, _, america = lines(figures["markets"])
    assert (china["last run (UTC)"], china["chunks/s"]) == ("", "")
    assert china["oldest pending"].startswith("3 h 15 min")
    ((ended_at,),) = rows(filled.database, "SELECT ended_at FROM last_runs WHERE market = 'us'")
    assert (america["oldest pending"], america["last run (UTC)"].split()) == (
        "",
        f"{ended_at.astimezone(UTC):%Y-%m-%d %H:%M}".split(),
    )
    assert america["chunks/s"]


def test_the_picture_is_in_the_materialization(instance: dg.DagsterInstance, filled: FakeServices) -> None:
    """As Markdown with a PNG in it, small enough to be stored every hour."""
    figures = metadata(materialize(instance, filled), COVERAGE)

    _, _, encoded = figures["heat_map"].removesuffix(")").partition("base64,")
    png = base64.b64decode(encoded)
    assert len(png) < 10_000
    with Image.open(BytesIO(png)) as image:
        assert image.format == "PNG"
        image.load()


@pytest.mark.parametrize(("many", "shown"), [(3, 3), (14, MAX_LATE_PARTITIONS)])
def test_the_check_lists_those_that_are_pending_for_longest(many: int, shown: int) -> None:
    """At most ten; how many there are is a figure. It is an error, for somebody must act."""
    keys = [PartitionKey("us", "annual_report", f"C{n:02}") for n in range(many)]
    late = tuple(LatePartition(key, 9, 41.0 - n) for n, key in enumerate(keys))

    result = check_result(Freshness(24.0, 41.0, late))

    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
    rows = lines(result.metadata["worst"].value)
    assert [row["partition"] for row in rows] == [str(key) for key in keys[:shown]]
    assert rows[0] == {"partition": str(keys[0]), "pending": 9, "oldest pending": "1 d 17 h"}
    assert (result.metadata["partitions"].value, result.metadata["oldest_pending_hours"].value) == (many, 41.0)


@pytest.mark.parametrize(("limit", "passes"), [(4.0, True), (3.0, False), (1e-9, False), (1e300, True)])
def test_the_setting_is_the_limit(
    limit: float, passes: bool, instance: dg.DagsterInstance, filled: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the check says, the run goes well and the asset is materialized: the figures are right."""
    monkeypatch.setattr(filled, "settings", filled.settings.model_copy(update={"freshness_slo_hours": limit}))

    result = materialize(instance, filled)

    assert result.success
    check = evaluation(result)
    assert (check.check_name, check.asset_key, check.passed) == ("fresh", COVERAGE, passes)
    assert check.metadata["limit_hours"].value == limit
    assert ("worst" in check.metadata) is not passes
    if not passes:
        worst = lines(check.metadata["worst"].value)[0]
        assert (worst["partition"], worst["pending"]) == (str(CN), 4)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "a day"])
def test_a_limit_that_makes_no_sense_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the variable."""
    monkeypatch.setenv("VECTOR_ASSETS_FRESHNESS_SLO_HOURS", value)

    with pytest.raises(InvalidSetting, match="VECTOR_ASSETS_FRESHNESS_SLO_HOURS"):
        load_settings()


def test_an_empty_database_is_no_failure(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """Nothing lacks, and nothing is drawn."""
    result = materialize(instance, services)

    assert result.success
    assert evaluation(result).passed
    figures = metadata(result, COVERAGE)
    assert (figures["partitions"], figures["chunks"], figures["coverage_percent"]) == (0, 0, 100)
    assert figures["oldest_pending_hours"] == 0.0
    assert (lines(figures["companies"]), figures["heat_map"]) == ([], "There are no chunks yet.")


def test_before_the_first_vector_everything_is_pending(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """There is no space yet; texts may be late all the same."""
    store_chunks(services.database, ["a", "b"], US)
    age(services, US, 48)

    result = materialize(instance, services)

    figures = metadata(result, COVERAGE)
    assert (figures["pending"], figures["coverage_percent"], figures["model"]) == (2, 0.0, "none yet")
    assert not evaluation(result).passed


def test_without_a_database_the_run_fails_in_one_line(
    instance: dg.DagsterInstance, tmp_path: Path, landing: Path
) -> None:
    """As every asset's: after other attempts, and without the password."""
    nowhere = URL.create("postgresql+psycopg", "me", "topsecret", "127.0.0.1", 1, "db")
    pauses: list[float] = []
    retries = Retries(seconds=0, pause=pauses.append)
    services = FakeServices(nowhere, tmp_path / "home", landing, retries=retries)

    result = materialize(instance, services)

    assert not result.success
    assert "cannot reach the database" in failure(result)
    assert "\n" not in failure(result)
    assert "topsecret" not in failure(result)
    assert not result.get_asset_materialization_events()


def test_it_comes_after_the_vectors_of_all_partitions() -> None:
    """An arrow in the lineage; it has no partitions itself."""
    from vector_assets.definitions import defs

    node = defs.resolve_asset_graph().get(COVERAGE)

    assert node.parent_keys == {VECTORIZED_CHUNKS}
    assert not node.is_partitioned
    assert node.check_keys == {dg.AssetCheckKey(COVERAGE, "fresh")}
    assert (node.group_name, node.owners) == ("vector_assets", ["team:data-engineering"])


def test_the_partitions_of_the_vectors_are_not_looked_at_when_a_run_begins(
    instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """From a hundred on, Dagster takes the newest one's version and not a hash of all: so 20,000 cost no more."""
    keys = [f"us/annual_report/C{n:03}" for n in range(100)]
    instance.add_dynamic_partitions(PARTITIONS_NAME, keys)
    for key in keys[:3]:
        tags = {"dagster/data_version": f"version of {key}"}
        instance.report_runless_asset_event(dg.AssetMaterialization(VECTORIZED_CHUNKS, partition=key, tags=tags))

    result = materialize(instance, services)

    (event,) = result.get_asset_materialization_events()
    of_vectors = event.materialization.tags[f"dagster/input_data_version/{VECTORIZED_CHUNKS.to_user_string()}"]
    assert of_vectors == f"version of {keys[2]}"


def test_the_schedule_asks_for_it_every_hour() -> None:
    """It runs unless somebody switches it off, and its runs do not wait behind those of the sensors."""
    from vector_assets.definitions import defs

    repository = defs.get_repository_def()
    schedule = repository.get_schedule_def("vector_assets_coverage_hourly")

    assert (schedule.cron_schedule, schedule.job_name) == ("0 * * * *", "vector_assets_coverage")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    tick = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=NOW, repository_def=repository))
    (request,) = tick.run_requests or []
    job = repository.get_job("vector_assets_coverage")
    assert job.asset_layer.selected_asset_keys == {COVERAGE}
    assert {**job.tags, **request.tags}["dagster/priority"] == "2"


def test_its_runs_are_no_partitions_to_the_sensors(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """One that is at work, or failed, keeps nothing from being requested."""
    store_chunks(services.database, ["a"], US)
    create_run_for_test(instance, job_name="vector_assets_coverage", status=dg.DagsterRunStatus.STARTED)
    create_run_for_test(instance, job_name="vector_assets_coverage", status=dg.DagsterRunStatus.FAILURE)

    assert requested(tick(new_chunks_sensor, instance, services)) == [str(US)]
    assert Runs(instance).partitions_under_way() == set()


def test_a_count_follows_when_chunks_were_embedded(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """By whichever process; not right after another count, nor beside one."""

    def tick_of_count() -> type:
        return type(coverage_sensor(dg.build_sensor_context(instance=instance)))

    nothing_embedded = tick_of_count()
    instance.report_runless_asset_event(dg.AssetMaterialization(VECTORIZED_CHUNKS, partition=str(US)))
    embedded = tick_of_count()
    run = create_run_for_test(instance, job_name=coverage_job.name, status=dg.DagsterRunStatus.STARTED)
    beside_a_count = tick_of_count()
    instance.report_run_failed(run)
    after_a_failed_count = tick_of_count()
    materialize(instance, services)
    instance.report_runless_asset_event(dg.AssetMaterialization(VECTORIZED_CHUNKS, partition=str(US)))
    soon_after = tick_of_count()

    assert [embedded, after_a_failed_count] == [dg.RunRequest] * 2
    assert [nothing_embedded, beside_a_count, soon_after] == [dg.SkipReason] * 3
