"""Sensors ask the present state: nothing is forgotten, nothing is requested twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.jobs import ingest, vectorize
from vector_assets.defs.partitions import PARTITIONS_NAME, register
from vector_assets.defs.run_history import Runs
from vector_assets.defs.run_requests import MOST_REQUESTS
from vector_assets.defs.runtime.tags import RANGE_END_TAG, RANGE_START_TAG
from vector_assets.defs.sensors import landing_sensor, new_chunks_sensor
from vector_assets.domain.partition_keys import PartitionKey

from ..fakes import FakeServices, make_vectorizer, rows, store_chunks
from .conftest import CN, US, land
from .test_assets import materialize

_REPOSITORY = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin()), "repository")
_ORIGIN = RemoteJobOrigin(_REPOSITORY, "any")


def tick(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, services: FakeServices
) -> dg.SensorResult | dg.SkipReason:
    """What the sensor's function gives."""
    from vector_assets.definitions import defs

    context = dg.build_sensor_context(
        instance=instance, definitions=defs, resources={"vector_assets_services": services}
    )
    return sensor(context)


def requested(result: dg.SensorResult | dg.SkipReason) -> list[str]:
    """The partitions for which runs are requested; of a range, `first...last`."""
    requests = result.run_requests or [] if isinstance(result, dg.SensorResult) else []
    return [
        request.partition_key or f"{request.tags[RANGE_START_TAG]}...{request.tags[RANGE_END_TAG]}"
        for request in requests
    ]


def add_run(
    instance: dg.DagsterInstance, key: str, status: dg.DagsterRunStatus, job: str = vectorize.name, **tags: str
) -> str:
    """A run as the daemon would have made it of a request; gives its id."""
    run = create_run_for_test(
        instance,
        job_name=job,
        status=status,
        tags={"dagster/partition": key, **tags},
        remote_job_origin=_ORIGIN,
    )
    return run.run_id


def test_rows_of_other_programs_get_their_runs(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """The keys are registered sorted; what was written first comes first."""
    store_chunks(services.database, ["a", "b"], US)
    store_chunks(services.database, ["其他"], CN)

    result = tick(new_chunks_sensor, instance, services)

    assert requested(result) == [str(US), str(CN)]
    assert list(instance.get_dynamic_partitions(PARTITIONS_NAME)) == [str(CN), str(US)]


def test_a_range_covers_no_partition_that_was_registered_in_between(
    instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """Dagster goes by the order of registration, and another sensor registers partitions as well."""
    first, last = PartitionKey("us", "annual_report", "XAAA"), PartitionKey("us", "annual_report", "XBBB")
    register(instance, [first])
    register(instance, [PartitionKey("hk", "announcement", f"{number:05}") for number in range(5)])
    for key in (first, last):
        store_chunks(services.database, ["a"], key)

    assert requested(tick(new_chunks_sensor, instance, services)) == [str(first), str(last)]


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ],
)
def test_a_partition_with_a_run_under_way_is_not_requested_again(
    status: dg.DagsterRunStatus, instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """Whichever job the run is of."""
    store_chunks(services.database, ["a"], US)
    store_chunks(services.database, ["其他"], CN)
    assert requested(tick(new_chunks_sensor, instance, services)) == [str(US), str(CN)]
    add_run(instance, str(CN), status, "any")

    assert requested(tick(new_chunks_sensor, instance, services)) == [str(US)]


def test_a_vectorized_partition_is_requested_again_only_after_an_edit(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path
) -> None:
    """And then alone."""
    materialize(instance, services, US)
    materialize(instance, services, CN)
    assert isinstance(tick(new_chunks_sensor, instance, services), dg.SkipReason)

    rows(services.database, "UPDATE document_chunks SET text = 'edited' WHERE market = 'cn'")

    assert requested(tick(new_chunks_sensor, instance, services)) == [str(CN)]


def test_a_late_commit_is_not_missed(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """Promise 10: a chunk older than the last tick, committed after it, is still pending and still found."""
    store_chunks(services.database, ["a"], US)
    late = (
        "INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash) "
        "SELECT id, '', '', '', 99, 'late', '' FROM documents"
    )
    with services.database.transaction() as writer:
        writer.execute(late)
        first = tick(new_chunks_sensor, instance, services)
    make_current(services)

    second = tick(new_chunks_sensor, instance, services)

    assert requested(first) == requested(second) == [str(US)]


def make_current(services: FakeServices) -> None:
    """Vectors for all chunks but the late one."""
    ids = [id_ for (id_,) in rows(services.database, "SELECT id FROM document_chunks WHERE text <> 'late'")]
    assert make_vectorizer(services.database, services.embedder).vectorize_chunks(ids).vectorized_count == 1


def test_a_failed_partition_rests_and_then_has_another_try(instance: dg.DagsterInstance) -> None:
    """Promise 10: growing gaps, never dropped; a success in between ends the rest."""
    now = datetime.now(UTC)
    runs = Runs(instance)

    add_run(instance, str(US), dg.DagsterRunStatus.FAILURE)
    assert runs.partitions_resting(VECTORIZED_CHUNKS, vectorize.name, now) == {str(US)}
    assert runs.partitions_resting(VECTORIZED_CHUNKS, vectorize.name, now + timedelta(seconds=70)) == set()
    add_run(instance, str(US), dg.DagsterRunStatus.FAILURE)
    assert runs.partitions_resting(VECTORIZED_CHUNKS, vectorize.name, now + timedelta(seconds=70)) == {str(US)}
    for _ in range(20):
        add_run(instance, str(US), dg.DagsterRunStatus.FAILURE)
    assert runs.partitions_resting(VECTORIZED_CHUNKS, vectorize.name, now + timedelta(minutes=59)) == {str(US)}
    assert runs.partitions_resting(VECTORIZED_CHUNKS, vectorize.name, now + timedelta(minutes=61)) == set()
    instance.report_runless_asset_event(dg.AssetMaterialization(VECTORIZED_CHUNKS, partition=str(US)))
    assert runs.partitions_resting(VECTORIZED_CHUNKS, vectorize.name, now) == set()


RANGE = [PartitionKey("us", "annual_report", f"X{letter}") for letter in "ABC"]


def add_range_run(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> str:
    """A run over all of RANGE; gives its id."""
    tags = {RANGE_START_TAG: str(RANGE[0]), RANGE_END_TAG: str(RANGE[-1])}
    run = create_run_for_test(instance, job_name=vectorize.name, status=status, tags=tags, remote_job_origin=_ORIGIN)
    return run.run_id


def test_small_neighbours_are_requested_as_one_range(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """It has what the runs page filters by, goes before a backfill's runs, and has no key that would drop it later."""
    for key in RANGE:
        store_chunks(services.database, ["a"], key)

    (request,) = tick(new_chunks_sensor, instance, services).run_requests

    assert request.partition_key is None
    assert request.run_key is None
    assert request.tags == {
        "market": "us",
        "doc_type": "annual_report",
        "dagster/priority": "1",
        RANGE_START_TAG: str(RANGE[0]),
        RANGE_END_TAG: str(RANGE[-1]),
    }


def test_no_partition_of_a_range_run_under_way_is_requested_again(
    instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """Those in its middle neither, which its tags do not name."""
    instance.add_dynamic_partitions(PARTITIONS_NAME, [*map(str, RANGE), str(US)])
    for key in [*RANGE, US]:
        store_chunks(services.database, ["a"], key)
    add_range_run(instance, dg.DagsterRunStatus.QUEUED)

    assert requested(tick(new_chunks_sensor, instance, services)) == [str(US)]


def test_of_a_range_run_that_failed_only_what_it_did_not_make_rests(instance: dg.DagsterInstance) -> None:
    """New text of a partition that was done gets its run at once."""
    runs = Runs(instance, [str(key) for key in RANGE])
    run_id = add_range_run(instance, dg.DagsterRunStatus.STARTED)
    made = dg.AssetMaterialization(VECTORIZED_CHUNKS, partition=str(RANGE[1]))
    instance.report_dagster_event(
        DagsterEvent(
            "ASSET_MATERIALIZATION", vectorize.name, event_specific_data=StepMaterializationData(made), step_key="any"
        ),
        run_id,
    )
    instance.report_run_failed(instance.get_run_by_id(run_id))

    resting = runs.partitions_resting(VECTORIZED_CHUNKS, vectorize.name, datetime.now(UTC))

    assert resting == {str(RANGE[0]), str(RANGE[2])}


def cancel(instance: dg.DagsterInstance, run_id: str) -> None:
    """As the page of the run does, and its process a moment later."""
    instance.report_run_canceling(instance.get_run_by_id(run_id))
    instance.report_run_canceled(instance.get_run_by_id(run_id))


def test_a_canceled_partition_is_left_until_its_text_changes(
    instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """Whoever canceled it does not want it back a minute later; a range run is canceled for all its partitions."""
    register(instance, [*RANGE, US])
    for key in [*RANGE, US]:
        store_chunks(services.database, ["a"], key)
    cancel(instance, add_range_run(instance, dg.DagsterRunStatus.STARTED))

    held = tick(new_chunks_sensor, instance, services)
    rows(services.database, "UPDATE document_chunks SET text = 'edited' WHERE stock_code = 'XB'")
    changed = tick(new_chunks_sensor, instance, services)

    assert requested(held) == [str(US)]
    assert sorted(requested(changed)) == sorted([str(US), str(RANGE[1])])


def test_a_run_that_somebody_starts_ends_a_cancellation(instance: dg.DagsterInstance) -> None:
    """However it ends: then the sensor goes on as for any partition."""
    runs, now = Runs(instance), datetime.now(UTC)
    before, later = {str(US): now - timedelta(minutes=1)}, now + timedelta(days=30)

    def canceled() -> set[str]:
        return runs.partitions_canceled(VECTORIZED_CHUNKS, vectorize.name, before, later)

    def started() -> str:
        return add_run(instance, str(US), dg.DagsterRunStatus.STARTED)

    cancel(instance, started())
    assert canceled() == {str(US)}
    instance.report_run_failed(instance.get_run_by_id(started()))
    assert canceled() == set()
    cancel(instance, started())
    assert canceled() == {str(US)}
    instance.report_runless_asset_event(dg.AssetMaterialization(VECTORIZED_CHUNKS, partition=str(US)))
    assert canceled() == set()


def test_a_full_queue_gets_no_more_runs(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """What arrives in another market would be behind all of them; the partition is registered all the same."""
    for number in range(MOST_REQUESTS):
        add_run(instance, f"us/annual_report/X{number}", dg.DagsterRunStatus.QUEUED)
    store_chunks(services.database, ["a"], US)

    result = tick(new_chunks_sensor, instance, services)

    assert requested(result) == []
    assert list(instance.get_dynamic_partitions(PARTITIONS_NAME)) == [str(US)]


def test_a_failed_ingestion_does_not_keep_vectors_waiting(instance: dg.DagsterInstance) -> None:
    """Each asset has its own rest."""
    add_run(instance, str(US), dg.DagsterRunStatus.FAILURE, ingest.name)

    assert Runs(instance).partitions_resting(VECTORIZED_CHUNKS, vectorize.name, datetime.now(UTC)) == set()


def test_new_files_get_their_runs(instance: dg.DagsterInstance, services: FakeServices, landing: Path) -> None:
    """Once read, a partition is requested again only when a file changes."""
    land(landing, US, "a.txt", "net sales")
    land(landing, CN, "b.txt", "年度报告")
    result = tick(landing_sensor, instance, services)
    assert requested(result) == [str(CN), str(US)]
    instance.add_dynamic_partitions(PARTITIONS_NAME, [str(CN), str(US)])
    materialize(instance, services, US)
    materialize(instance, services, CN)
    assert isinstance(tick(landing_sensor, instance, services), dg.SkipReason)

    land(landing, CN, "b.txt", "年度报告，修订版")

    assert requested(tick(landing_sensor, instance, services)) == [str(CN)]


def test_a_canceled_ingestion_is_left_until_a_file_changes(
    instance: dg.DagsterInstance, services: FakeServices, landing: Path
) -> None:
    """It is requested again at once then. A document that was stored, and not chunked, is not a change."""
    register(instance, [US, CN])
    land(landing, US, "a.txt", "net sales")
    land(landing, CN, "b.txt", "年度报告")
    services.ingestion.read_documents(CN)
    for key in (US, CN):
        cancel(instance, add_run(instance, str(key), dg.DagsterRunStatus.STARTED, ingest.name))

    held = tick(landing_sensor, instance, services)
    land(landing, US, "a.txt", "net sales, corrected")

    assert isinstance(held, dg.SkipReason)
    assert requested(tick(landing_sensor, instance, services)) == [str(US)]


def test_a_bad_file_is_tried_once(instance: dg.DagsterInstance, services: FakeServices, landing: Path) -> None:
    """Until it changes; it does not start a run at every tick."""
    land(landing, US, "bad.pdf", b"not a PDF")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [str(US)])
    assert requested(tick(landing_sensor, instance, services)) == [str(US)]
    materialize(instance, services, US)

    assert isinstance(tick(landing_sensor, instance, services), dg.SkipReason)


def test_a_missing_landing_directory_is_no_failure(
    instance: dg.DagsterInstance, services: FakeServices, landing: Path
) -> None:
    """The tick is skipped, with the fix."""
    landing.rmdir()

    result = tick(landing_sensor, instance, services)

    assert isinstance(result, dg.SkipReason)
    assert "VECTOR_ASSETS_LANDING_DIR" in result.skip_message
