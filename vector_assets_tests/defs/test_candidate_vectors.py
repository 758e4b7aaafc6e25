"""The space that is filled beside the serving one, as assets: its vectors, its sensor, and its promotion."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import URL

from vector_assets.defs.asset_keys import CANDIDATE_VECTORS, SERVING_SPACE, VECTORIZED_CHUNKS
from vector_assets.defs.assets import candidate_vectors, vectorized_chunks
from vector_assets.defs.resources import SilentListener, run_resources
from vector_assets.defs.sensors import candidate_sensor, new_chunks_sensor
from vector_assets.defs.serving_space_asset import record_promotion, serving_space
from vector_assets.domain.spaces import SpaceStatus

from ..fakes import SPACE, FakeServices, HashEmbedder, rows
from .conftest import US
from .test_assets import counts, failure, materialize, metadata, observations
from .test_sensors import requested, tick

SERVING = replace(SPACE, source="org/serving")
OTHER = replace(SPACE, model="other", source="org/other")


@pytest.fixture
def services(database_url: URL, tmp_path: Path, landing: Path) -> Iterator[FakeServices]:
    """A process that has both models."""
    models = [HashEmbedder(SERVING), HashEmbedder(OTHER)]
    with FakeServices(database_url, tmp_path / "home", landing, models[0], others=models[1:]) as services:
        yield services


@pytest.fixture
def filling(instance: dg.DagsterInstance, services: FakeServices, filings: Path) -> FakeServices:
    """Ten chunks of a partition are current in the serving space, and pending in another one."""
    assert materialize(instance, services, US).success
    services.spaces.add(OTHER)
    return services


def fill(instance: dg.DagsterInstance, services: FakeServices, **config: Any) -> dg.ExecuteInProcessResult:
    """Materialize the filling space's vectors of the partition."""
    return dg.materialize(
        [candidate_vectors],
        partition_key=str(US),
        instance=instance,
        resources=run_resources(services, SilentListener()),
        run_config={"ops": {"silver__candidate_vectors": {"config": config}}},
        raise_on_error=False,
    )


def change(instance: dg.DagsterInstance, services: FakeServices, **config: Any) -> dg.ExecuteInProcessResult:
    """Materialize `gold/serving_space`."""
    return dg.materialize(
        [serving_space],
        instance=instance,
        resources={"vector_assets_services": services},
        run_config={"ops": {"gold__serving_space": {"config": config}}},
        raise_on_error=False,
    )


def vectors(services: FakeServices, slug: str) -> int:
    ((count,),) = rows(services.database, f"SELECT count(*) FROM chunk_vectors_{slug}")
    return count


def test_it_has_progress_totals_and_checks_of_its_own(instance: dg.DagsterInstance, filling: FakeServices) -> None:
    """And the serving space's vectors stay as they are."""
    result = fill(instance, filling, batch_size=4, progress_interval_seconds=0)

    assert result.success
    seen = observations(instance, result)
    assert [(item.asset_key, item.partition) for item in seen] == [(CANDIDATE_VECTORS, str(US))] * 3
    totals = metadata(result, CANDIDATE_VECTORS)
    assert (totals["vectorized"], totals["coverage_percent"]) == (10, 100.0)
    checks = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    assert {entry.asset_check_evaluation.asset_key for entry in checks} == {CANDIDATE_VECTORS}
    assert (vectors(filling, OTHER.slug), vectors(filling, SPACE.slug)) == (10, 10)


def test_where_no_space_is_filled_nothing_happens(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path
) -> None:
    """So that somebody may materialize all assets at once; and the sensor's tick says why it is skipped."""
    assert materialize(instance, services, US).success

    result = fill(instance, services)

    assert result.success
    assert result.get_asset_materialization_events() == []
    skipped = tick(candidate_sensor, instance, services)
    assert isinstance(skipped, dg.SkipReason)
    assert "no embedding space is filled" in skipped.skip_message


def test_each_live_space_has_its_sensor(instance: dg.DagsterInstance, filling: FakeServices) -> None:
    """A chunk that is edited becomes pending in both."""
    assert isinstance(tick(new_chunks_sensor, instance, filling), dg.SkipReason)
    assert requested(tick(candidate_sensor, instance, filling)) == [str(US)]
    assert fill(instance, filling).success

    rows(filling.database, "UPDATE document_chunks SET text = 'edited' WHERE chunk_index = 0 AND market = 'us'")

    assert requested(tick(new_chunks_sensor, instance, filling)) == [str(US)]
    assert requested(tick(candidate_sensor, instance, filling)) == [str(US)]


def test_a_process_with_the_other_model_still_embeds_what_serves_for_what_serves(
    instance: dg.DagsterInstance, filling: FakeServices, database_url: URL, tmp_path: Path, landing: Path
) -> None:
    """The asset says which space is meant, and not the process."""
    rows(filling.database, "UPDATE document_chunks SET text = 'edited' WHERE chunk_index = 0 AND market = 'us'")
    its = [HashEmbedder(OTHER), HashEmbedder(SERVING)]
    with FakeServices(database_url, tmp_path / "home", landing, its[0], others=its[1:]) as configured_for_other:
        result = dg.materialize(
            [vectorized_chunks],
            partition_key=str(US),
            instance=instance,
            resources=run_resources(configured_for_other, SilentListener()),
        )

    assert metadata(result, VECTORIZED_CHUNKS)["vectorized"] == 1
    assert vectors(filling, OTHER.slug) == 0
    assert its[0].embedded == []


def test_a_promotion_is_refused_until_all_chunks_have_a_vector(
    instance: dg.DagsterInstance, filling: FakeServices, tmp_path: Path
) -> None:
    """Then it is recorded with what was compared before it."""
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"query": "w0x0", "relevant_documents": [f"{US}/2024.txt"]}))
    refused = change(instance, filling, promote=True)
    assert "lacks vectors: 10 pending, 0 quarantined" in failure(refused)
    assert statuses(filling) == {SPACE.slug: SpaceStatus.SERVING, OTHER.slug: SpaceStatus.FILLING}

    assert fill(instance, filling).success
    result = change(instance, filling, promote=True, questions=str(questions))

    assert result.success
    assert statuses(filling) == {SPACE.slug: SpaceStatus.FILLING, OTHER.slug: SpaceStatus.SERVING}
    figures = metadata(result, SERVING_SPACE)
    assert (figures["serves"], figures["space"]) == ("other", OTHER.slug)
    before = {record.data["space"]: record.data["status before"] for record in figures["compared"].records}
    assert before == {SPACE.slug: "serving", OTHER.slug: "filling"}
    assert [record.data["hits at 10"] for record in figures["compared"].records] == [1, 1]
    assert figures["drift"].startswith("lowest cosine of a reference text 1.0")

    assert change(instance, filling, rollback=True).success
    assert statuses(filling) == {SPACE.slug: SpaceStatus.SERVING, OTHER.slug: SpaceStatus.FILLING}


def test_force_is_recorded_with_what_it_skipped(instance: dg.DagsterInstance, filling: FakeServices) -> None:
    """Whoever looks later knows why answers were missing."""
    figures = metadata(change(instance, filling, promote=True, force=True), SERVING_SPACE)

    assert "10 pending" in figures["skipped by force"]
    assert statuses(filling)[OTHER.slug] == SpaceStatus.SERVING


def test_without_config_it_only_records_what_serves(instance: dg.DagsterInstance, filling: FakeServices) -> None:
    """Somebody may materialize all assets at once."""
    assert fill(instance, filling).success

    figures = metadata(change(instance, filling), SERVING_SPACE)

    assert figures["space"] == SPACE.slug
    assert statuses(filling) == {SPACE.slug: SpaceStatus.SERVING, OTHER.slug: SpaceStatus.FILLING}


def test_a_promotion_and_a_rollback_at_once_are_refused(instance: dg.DagsterInstance, filling: FakeServices) -> None:
    """Nobody knows which of them was meant."""
    assert "Set one of the two" in failure(change(instance, filling, promote=True, rollback=True))


def test_a_promotion_outside_dagster_is_recorded(instance: dg.DagsterInstance, filling: FakeServices) -> None:
    """As the command line does it."""
    change = filling.space_changes.promote(OTHER.slug, force=True)

    record_promotion(instance, change)

    event = instance.get_latest_materialization_event(SERVING_SPACE)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["space"].value == OTHER.slug


def test_what_serves_next_is_kept_up_to_date_by_the_same_assets(
    instance: dg.DagsterInstance, filling: FakeServices
) -> None:
    """After the promotion `vectorized_chunks` embeds with the other model, and the candidate is the former space."""
    assert fill(instance, filling).success
    assert change(instance, filling, promote=True).success
    rows(filling.database, "UPDATE document_chunks SET text = 'edited' WHERE chunk_index = 0 AND market = 'us'")

    assert metadata(materialize(instance, filling, US), VECTORIZED_CHUNKS)["vectorized"] == 1
    assert metadata(fill(instance, filling), CANDIDATE_VECTORS)["vectorized"] == 1
    assert counts(filling) == (10, 0)


def statuses(services: FakeServices) -> dict[str, SpaceStatus]:
    """Slug -> status of each space."""
    return {item.space.slug: item.status for item in services.spaces.all()}
