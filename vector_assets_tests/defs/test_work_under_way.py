"""While runs embed, the page of the coverage shows how far all of them are."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.events import AssetObservationData, DagsterEvent

from vector_assets.defs.asset_keys import COVERAGE, VECTORIZED_CHUNKS
from vector_assets.defs.work_under_way import work_under_way_sensor
from vector_assets.domain.partition_keys import PartitionKey

from ..fakes import FakeServices, make_vectorizer, store_chunks
from .conftest import CN, US, figures
from .test_sensors import add_run, tick


def report(instance: dg.DagsterInstance, run_id: str, key: PartitionKey, speed: float, asset: dg.AssetKey) -> None:
    """Record a batch as the step of the run does."""
    metadata: dict[str, Any] = {
        "progress": "batch 1/2",
        "progress/processed": 1,
        "progress/total": 2,
        "progress/chunks_per_second": speed,
    }
    observed = dg.AssetObservation(asset, partition=str(key), metadata=metadata)
    data = AssetObservationData(observed)
    instance.report_dagster_event(
        DagsterEvent("ASSET_OBSERVATION", "any", event_specific_data=data, step_key="any"), run_id
    )


def shown(result: dg.SensorResult | dg.SkipReason) -> dict[str, Any]:
    """The figures of the one observation."""
    assert isinstance(result, dg.SensorResult)
    (observed,) = result.asset_events
    assert isinstance(observed, dg.AssetObservation)
    assert observed.asset_key == COVERAGE
    assert not result.run_requests
    return figures(observed.metadata)


def test_runs_of_all_nodes_are_added_up(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """Only the last batch of each; what has ended, or has reported nothing, does not count."""
    store_chunks(services.database, ["a", "b", "c"], US)
    store_chunks(services.database, ["其他"], CN)
    make_vectorizer(services.database, services.embedder).vectorize_partition(CN)
    first = add_run(instance, str(US), dg.DagsterRunStatus.STARTED, node="node1")
    second = add_run(instance, str(CN), dg.DagsterRunStatus.STARTED, node="node2")
    ended = add_run(instance, str(US), dg.DagsterRunStatus.SUCCESS, node="node3")
    add_run(instance, str(US), dg.DagsterRunStatus.STARTED, node="node4")
    for run_id, key, speed in ((first, US, 5.0), (first, US, 10.0), (second, CN, 2.0), (ended, US, 100.0)):
        report(instance, run_id, key, speed, VECTORIZED_CHUNKS)

    found = shown(tick(work_under_way_sensor, instance, services))

    assert found["progress"] == "1/4 chunks (25.0%) · 12 chunks/s · 2 runs on 2 nodes · 0 s left"
    assert (found["progress/done"], found["progress/pending"], found["progress/percent"]) == (1, 3, 25.0)
    assert found["progress/seconds_left"] == pytest.approx(0.25, abs=0.1)
    assert [record.data for record in found["nodes"].records] == [
        {"node": "node1", "runs": 1, "chunks/s": 10.0, "partitions": str(US)},
        {"node": "node2", "runs": 1, "chunks/s": 2.0, "partitions": str(CN)},
    ]


def test_nothing_is_recorded_while_no_run_embeds(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """Other runs report other assets."""
    store_chunks(services.database, ["a"], US)
    before = tick(work_under_way_sensor, instance, services)
    report(instance, add_run(instance, str(US), dg.DagsterRunStatus.STARTED), US, 1.0, dg.AssetKey("another"))

    assert isinstance(before, dg.SkipReason)
    assert isinstance(tick(work_under_way_sensor, instance, services), dg.SkipReason)
