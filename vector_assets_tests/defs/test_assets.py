"""The three assets through Dagster itself."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import URL

from vector_assets.defs.asset_keys import (
    CANDIDATE_VECTORS,
    DOCUMENT_CHUNKS,
    DOCUMENTS,
    SERVING_SPACE,
    VECTORIZED_CHUNKS,
)
from vector_assets.defs.partitions import PARTITIONS_NAME, register
from vector_assets.defs.resources import SilentListener, run_resources
from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.domain.spaces import Vectors

from ..fakes import FakeServices, HashEmbedder, quarantine_failed, rows
from .conftest import CHAIN, CN, US, figures, land, sentences


class Watching(SilentListener):
    """Remembers the batches."""

    def __init__(self, seen: list[BatchProgress]) -> None:
        self._seen = seen

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        self._seen.append(progress)


def materialize(
    instance: dg.DagsterInstance,
    services: FakeServices,
    key: PartitionKey | str,
    config: Mapping[str, Any] | None = None,
    watched: list[BatchProgress] | None = None,
) -> dg.ExecuteInProcessResult:
    """All three assets of a partition."""
    seen = [] if watched is None else watched
    return dg.materialize(
        CHAIN,
        partition_key=str(key),
        instance=instance,
        resources=run_resources(services, Watching(seen)),
        run_config={"ops": {"silver__vectorized_chunks": {"config": dict(config or {})}}},
        raise_on_error=False,
    )


def observations(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> list[dg.AssetObservation]:
    """The run's progress events as they are stored, in order."""
    entries = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION)
    return [entry.dagster_event.asset_observation_data.asset_observation for entry in entries]


def metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    """What the asset's materialization says, its table of diagnostics included."""
    (event,) = [event for event in result.get_asset_materialization_events() if event.asset_key == key]
    return figures(event.materialization.metadata)


def counts(services: FakeServices) -> tuple[int, int]:
    """Of all chunks: how many have a vector, and how many are in the queue."""
    table = f"chunk_vectors_{services.space.slug}"
    ((vectors, queued),) = rows(
        services.database, f"SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM pending_chunks)"
    )
    return vectors, queued


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The description of the one failed step."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


def test_filings_become_vectors(instance: dg.DagsterInstance, services: FakeServices, filings: Path) -> None:
    """From files to vectors, each asset with its totals; the second time nothing is left to do."""
    result = materialize(instance, services, US, {"batch_size": 4})

    assert result.success
    assert metadata(result, DOCUMENTS)["read"] == 1
    assert metadata(result, DOCUMENT_CHUNKS)["added"] == 10
    totals = metadata(result, VECTORIZED_CHUNKS)
    assert (totals["vectorized"], totals["batches"], totals["coverage_percent"]) == (10, "3", 100.0)
    assert instance.get_materialized_partitions(VECTORIZED_CHUNKS) == {str(US)}
    assert counts(services) == (10, 0)

    again = materialize(instance, services, US)

    assert metadata(again, DOCUMENTS)["unchanged"] == 1
    assert metadata(again, DOCUMENT_CHUNKS)["documents_chunked"] == 0
    assert metadata(again, VECTORIZED_CHUNKS)["vectorized"] == 0


def test_each_batch_is_an_observation(instance: dg.DagsterInstance, services: FakeServices, filings: Path) -> None:
    """With interval 0; the progress line comes first, under the partition, and the watcher sees the same batches."""
    watched: list[BatchProgress] = []

    result = materialize(instance, services, US, {"batch_size": 4, "progress_interval_seconds": 0}, watched)

    seen = observations(instance, result)
    assert [item.partition for item in seen] == [str(US)] * 3
    assert [next(iter(item.metadata)) for item in seen] == ["progress"] * 3
    assert [item.metadata["progress"].value.split(" · ")[:2] for item in seen] == [
        ["batch 1/3", "4/10 chunks (40.0%)"],
        ["batch 2/3", "8/10 chunks (80.0%)"],
        ["batch 3/3", "10/10 chunks (100.0%)"],
    ]
    assert [item.metadata["outcome"].value for item in seen] == ["ok 4 failed 0", "ok 4 failed 0", "ok 2 failed 0"]
    assert [item.description.split(" · ")[-1] for item in seen] == ["batch 1/3", "batch 2/3", "batch 3/3"]
    assert [progress.batch_num for progress in watched] == [1, 2, 3]


def test_a_short_run_is_reported_once(instance: dg.DagsterInstance, services: FakeServices, filings: Path) -> None:
    """The event covers the batches that were withheld."""
    result = materialize(instance, services, US, {"batch_size": 1})

    seen = observations(instance, result)
    assert [item.metadata["progress/processed"].value for item in seen] == [10]
    assert seen[-1].metadata["outcome"].value == "ok 10 failed 0 (batches 1 to 10)"


def test_chunk_detail_lists_the_batch(instance: dg.DagsterInstance, services: FakeServices, filings: Path) -> None:
    """For tracing one chunk."""
    config = {"batch_size": 4, "progress_interval_seconds": 0, "event_detail": "chunk"}

    result = materialize(instance, services, US, config)

    first = observations(instance, result)[0].metadata["chunks"].records
    assert len(first) == 4
    assert first[0].data["outcome"] == "vectorized"
    assert first[0].data["document"] == f"{US}/2024.txt"


def test_observations_do_not_green_a_partition_that_fails_later(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path
) -> None:
    """A run that dies between two batches leaves its partition failed; the next one embeds only the rest."""
    embedder: HashEmbedder = services.embedder

    def die(_: list[str]) -> None:
        if len(embedder.embedded) >= 4:
            embedder.poison = ""  # from now on it fails on any text

    embedder.before = die

    result = materialize(instance, services, US, {"batch_size": 4, "progress_interval_seconds": 0})

    assert not result.success
    assert "fails on any text" in failure(result)
    _, last = observations(instance, result)  # the first batch, and why there is no other
    assert "fails on any text" in last.metadata["failed"].value
    assert instance.get_materialized_partitions(VECTORIZED_CHUNKS) == set()
    embedder.before, embedder.poison = (lambda _: None), "POISON"
    assert metadata(materialize(instance, services, US), VECTORIZED_CHUNKS)["vectorized"] == 6


def test_a_refusing_event_store_costs_no_batch(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 5: the work goes on, and the result says how many events were lost."""

    def refuse(*_: object) -> None:
        raise OSError("the event store is away")

    monkeypatch.setattr(dg.AssetExecutionContext, "log_event", refuse)

    result = materialize(instance, services, US, {"batch_size": 4, "progress_interval_seconds": 0})

    totals = metadata(result, VECTORIZED_CHUNKS)
    assert (totals["vectorized"], totals["progress errors"]) == (10, "3")


def test_failed_chunks_are_listed_and_the_rest_is_there(
    instance: dg.DagsterInstance, services: FakeServices, landing: Path
) -> None:
    """Promise 3, as the run page shows it."""
    land(landing, US, "good.txt", sentences(3))
    land(landing, US, "bad.txt", "POISON in a filing")
    register(instance, [US])

    totals = metadata(materialize(instance, services, US), VECTORIZED_CHUNKS)

    assert (totals["vectorized"], totals["failed"], totals["pending"]) == (3, 1, 1)  # it has another attempt
    (record,) = totals["failures"].records
    assert (record.data["document"], record.data["message"]) == (f"{US}/bad.txt", "poison")


def failure_metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """What the one failed step says."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data is not None
    return figures(data.metadata)


@pytest.fixture
def third_bad(instance: dg.DagsterInstance, landing: Path) -> Path:
    """A partition of 24 good chunks and 12 bad ones."""
    land(landing, US, "good.txt", sentences(24))
    land(landing, US, "bad.txt", sentences(12).replace("w", "POISON"))
    register(instance, [US])
    return landing


def test_too_many_failures_fail_the_run_after_all_else_is_committed(
    instance: dg.DagsterInstance, services: FakeServices, third_bad: Path
) -> None:
    """The failed step has the totals, ten of the failures and the next commands; the partition is not green."""
    result = materialize(instance, services, US, {"batch_size": 4})

    assert not result.success
    assert failure(result).startswith("12 of 36 chunks failed (33.3%); max_failed_fraction is 0.05.")
    for command in ("failures", "retry-failed"):
        assert f"vector-assets {command} {US}" in failure(result)
    shown = failure_metadata(result)
    assert shown["error"] == "TooManyFailures"
    assert (shown["vectorized"], shown["failed"]) == (24, 12)
    assert (shown["current"], shown["pending"]) == ("24", 12)
    assert [record.data["error"] for record in shown["failures"].records] == ["ValueError"] * 10
    assert instance.get_materialized_partitions(VECTORIZED_CHUNKS) == set()
    assert counts(services) == (24, 12)


@pytest.mark.parametrize(("fraction", "succeeds"), [(1, True), (0.34, True), (0.33, False), (0.0, False)])
def test_the_run_config_says_how_many_may_fail(
    fraction: float, succeeds: bool, instance: dg.DagsterInstance, services: FakeServices, third_bad: Path
) -> None:
    """It wins over the setting; 1 lets all pass."""
    result = materialize(instance, services, US, {"max_failed_fraction": fraction})

    assert result.success is succeeds
    if succeeds:
        totals = metadata(result, VECTORIZED_CHUNKS)
        assert (totals["vectorized"], totals["failed"], len(totals["failures"].records)) == (24, 12, 10)


def test_the_setting_says_how_many_may_fail(
    instance: dg.DagsterInstance, database_url: URL, tmp_path: Path, third_bad: Path
) -> None:
    """Where the run's config says nothing."""
    with FakeServices(database_url, tmp_path / "home", third_bad, max_failed_fraction=0.5) as services:
        result = materialize(instance, services, US)

    assert result.success


@pytest.mark.parametrize(("config", "succeeds"), [({}, True), ({"max_failed_fraction": 0}, False)])
def test_one_bad_chunk_fails_no_tiny_partition_unless_none_may(
    config: dict[str, Any], succeeds: bool, instance: dg.DagsterInstance, services: FakeServices, landing: Path
) -> None:
    """One of three is a third, yet it says nothing of the run."""
    land(landing, US, "good.txt", sentences(2))
    land(landing, US, "bad.txt", "POISON in a filing")
    register(instance, [US])

    assert materialize(instance, services, US, config).success is succeeds


def test_the_worst_message_fits_in_the_table(
    instance: dg.DagsterInstance, services: FakeServices, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NUL, line ends and 10,000 characters become one line of the event, whole only in the queue."""
    message = "NUL \0, line\nend \x1b[31m 公告 " + "x" * 10_000
    embed = services.embedder.embed

    def fail(texts: Sequence[TokenizedText]) -> Vectors:
        if any("POISON" in item.text for item in texts):
            raise RuntimeError(message)
        return embed(texts)

    monkeypatch.setattr(services.embedder, "embed", fail)
    land(landing, US, "bad.txt", "POISON")
    register(instance, [US])

    (record,) = metadata(materialize(instance, services, US), VECTORIZED_CHUNKS)["failures"].records

    assert record.data["message"].startswith("NUL , line end [31m 公告 xxx")
    assert len(record.data["message"]) == 300
    assert rows(services.database, "SELECT length(message) FROM pending_chunks WHERE attempts > 0") == [
        (len(message) + 1,)
    ]


def test_a_run_with_nothing_to_do_tells_of_the_quarantined(
    instance: dg.DagsterInstance, services: FakeServices, third_bad: Path
) -> None:
    """After a failed run the next one succeeds, for nothing is pending; its log and its totals still say what waits."""
    materialize(instance, services, US)
    quarantine_failed(services.database, services.embedder, [US])

    again = materialize(instance, services, US)

    assert again.success
    assert metadata(again, VECTORIZED_CHUNKS)["quarantined"] == 12
    warnings = [entry.user_message for entry in instance.all_logs(again.run_id) if entry.level == logging.WARNING]
    assert f"12 chunks are quarantined. See vector-assets failures {US}" in warnings


def test_a_bad_document_is_reported_and_the_rest_goes_on(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path
) -> None:
    """Promise 11."""
    land(filings, US, "broken.pdf", b"not a PDF")

    result = materialize(instance, services, US)

    assert result.success
    totals = metadata(result, DOCUMENTS)
    assert (totals["read"], totals["skipped"]) == (1, 1)
    assert totals["skipped_documents"].records[0].data["error"] == "UnreadableDocument"
    (check,) = [item for item in result.get_asset_check_evaluations() if item.check_name == "documents_read"]
    assert (check.passed, check.severity, check.partition) == (False, dg.AssetCheckSeverity.WARN, str(US))
    assert f"{US}/broken.pdf" in check.description
    assert metadata(result, VECTORIZED_CHUNKS)["vectorized"] == 10


@pytest.mark.parametrize(
    "config",
    [
        {"batch_size": 0}, {"batch_size": -3}, {"limit": 0}, {"progress_interval_seconds": -1.0},
        {"max_failed_fraction": -0.1}, {"max_failed_fraction": 5.0}, {"max_failed_fraction": float("nan")},
    ],
)  # fmt: skip
def test_senseless_config_is_one_line(
    config: dict[str, Any], instance: dg.DagsterInstance, services: FakeServices, filings: Path
) -> None:
    """Promise 11: the step fails with the name of the value, before anything is embedded."""
    result = materialize(instance, services, US, config)

    assert not result.success
    assert failure(result).startswith(next(iter(config)))
    assert services.embedder.embedded == []


def test_a_partition_that_is_no_key_is_one_line(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path
) -> None:
    """Dagster lets anybody add any partition; the run then says what the form is."""
    instance.add_dynamic_partitions(PARTITIONS_NAME, ["nonsense"])

    assert "market/doc_type/stock_code" in failure(materialize(instance, services, "nonsense"))


def test_a_missing_landing_directory_is_one_line(
    instance: dg.DagsterInstance, services: FakeServices, landing: Path
) -> None:
    """Promise 11."""
    register(instance, [US])
    landing.rmdir()

    assert "VECTOR_ASSETS_LANDING_DIR" in failure(materialize(instance, services, US))


def test_limit_and_force(instance: dg.DagsterInstance, services: FakeServices, filings: Path) -> None:
    """Run config reaches the loop."""
    assert metadata(materialize(instance, services, US, {"limit": 3}), VECTORIZED_CHUNKS)["pending"] == 7
    assert metadata(materialize(instance, services, US), VECTORIZED_CHUNKS)["vectorized"] == 7
    forced = materialize(instance, services, US, {"force_revectorize": True})
    assert metadata(forced, VECTORIZED_CHUNKS)["vectorized"] == 10


def test_the_data_version_follows_the_texts(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path
) -> None:
    """Unchanged texts keep it, changed ones change it."""

    def version() -> str:
        result = materialize(instance, services, CN)
        (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == VECTORIZED_CHUNKS]
        return event.materialization.tags["dagster/data_version"]

    first = version()

    assert version() == first
    land(filings, CN, "2024-01.txt", "董事会否决了年度报告。")
    assert version() != first


def test_the_definitions_load() -> None:
    """From files to the vectors of both live spaces, with jobs and sensors; these run by default."""
    from vector_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    assert graph.get(VECTORIZED_CHUNKS).parent_keys == {DOCUMENT_CHUNKS}
    assert graph.get(CANDIDATE_VECTORS).parent_keys == {DOCUMENT_CHUNKS}
    assert graph.get(SERVING_SPACE).parent_keys == {VECTORIZED_CHUNKS, CANDIDATE_VECTORS}
    assert graph.get(DOCUMENT_CHUNKS).parent_keys == {DOCUMENTS}
    assert {job.name for job in defs.resolve_all_job_defs()} >= {"vector_assets_ingest", "vector_assets_vectorize"}
    repository = defs.get_repository_def()
    assert {sensor.name: sensor.default_status for sensor in repository.sensor_defs} == {
        "vector_assets_new_chunks_sensor": dg.DefaultSensorStatus.RUNNING,
        "vector_assets_candidate_sensor": dg.DefaultSensorStatus.RUNNING,
        "vector_assets_landing_sensor": dg.DefaultSensorStatus.RUNNING,
        "vector_assets_coverage_sensor": dg.DefaultSensorStatus.RUNNING,
        "vector_assets_work_under_way_sensor": dg.DefaultSensorStatus.RUNNING,
    }
    dg.Definitions.validate_loadable(defs)
