"""Runs over a range of partitions: each partition is materialized, or fails, by itself."""

import _thread
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from vector_assets.defs.assets import in_ranges
from vector_assets.defs.partitions import PARTITIONS, register
from vector_assets.defs.resources import run_resources
from vector_assets.defs.runtime.tags import RANGE_END_TAG, RANGE_START_TAG
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.storage.retries import Retries

from ..fakes import FakeServices, HashEmbedder, rows, store_chunks
from ..storage.servers import connect
from .conftest import CHAIN, land, sentences
from .test_assets import Watching, failure, observations
from .test_faults import Pauses

KEYS = [PartitionKey("us", "annual_report", f"X{letter}") for letter in "ABCD"]
A, B, C, D = (str(key) for key in KEYS)


@pytest.fixture
def pauses() -> Pauses:
    """The waits of this module's services."""
    return Pauses()


@pytest.fixture
def retries(pauses: Pauses) -> Retries:
    """They end at once."""
    return Retries(pause=pauses.pause)


@pytest.fixture
def four(instance: dg.DagsterInstance, services: FakeServices) -> list[PartitionKey]:
    """Partitions of two chunks each, written by another program."""
    for key in KEYS:
        store_chunks(services.database, [f"first of {key.stock_code}", f"second of {key.stock_code}"], key)
    register(instance, KEYS)
    return KEYS


def run(
    instance: dg.DagsterInstance,
    services: FakeServices,
    first: str = A,
    last: str = D,
    assets: Sequence[dg.AssetsDefinition] = CHAIN[-1:],
    config: Mapping[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """One run from the first partition to the last."""
    return dg.materialize(
        assets,
        instance=instance,
        resources=run_resources(services, Watching([])),
        run_config={"ops": {"silver__vectorized_chunks": {"config": dict(config or {})}}},
        tags={RANGE_START_TAG: first, RANGE_END_TAG: last},
        raise_on_error=False,
    )


def materialized(
    instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult, asset: dg.AssetKey
) -> dict[str, dict[str, Any]]:
    """Per partition what its materialization says; one each."""
    entries = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    events = [entry.asset_materialization for entry in entries]
    found = {
        event.partition: {name: value.value for name, value in event.metadata.items()}
        for event in events
        if event.asset_key == asset
    }
    assert len(found) == len([event for event in events if event.asset_key == asset])
    return found


def red(instance: dg.DagsterInstance, asset: dg.AssetKey = VECTORIZED_CHUNKS) -> set[str]:
    """Partitions that the UI shows as failed."""
    cached = get_and_update_asset_status_cache_value(instance, asset, PARTITIONS)
    assert cached is not None
    subset = cached.deserialize_failed_partition_subsets(PARTITIONS)
    return set(subset.get_partition_keys())


def fail_on(services: FakeServices, text: str) -> None:
    """The embedder is broken, for good, once the text is to be embedded."""
    embedder: HashEmbedder = services.embedder

    def before(texts: list[str]) -> None:
        if any(text in one for one in texts):
            embedder.poison = ""  # from now on it fails on any text

    embedder.before = before


def test_each_partition_has_its_own_progress_and_totals(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey]
) -> None:
    """One run, one model; and the runs page finds it by what its partitions have in common."""
    result = run(instance, services)

    assert result.success
    totals = materialized(instance, result, VECTORIZED_CHUNKS)
    assert {key: made["vectorized"] for key, made in totals.items()} == {A: 2, B: 2, C: 2, D: 2}
    assert [event.partition for event in observations(instance, result)] == [A, B, C, D]
    assert instance.get_materialized_partitions(VECTORIZED_CHUNKS) == {A, B, C, D}
    tags = instance.get_run_by_id(result.run_id).tags
    assert (tags["market"], tags["doc_type"]) == ("us", "annual_report")
    assert "stock_code" not in tags


def test_rows_of_other_programs_appear_as_materializations_once(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey]
) -> None:
    """Or the launch dialog would warn that the data upstream is missing."""
    first = run(instance, services, A, B)
    assert set(materialized(instance, first, DOCUMENT_CHUNKS)) == {A, B}
    rows(services.database, "UPDATE document_chunks SET text = 'edited' WHERE stock_code = 'XB'")

    second = run(instance, services, A, C)

    assert set(materialized(instance, second, DOCUMENT_CHUNKS)) == {B, C}


def test_a_partition_that_fails_leaves_the_others_their_turn(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey]
) -> None:
    """It alone is red, and its reason is on its own page and on the run's."""
    rows(services.database, "UPDATE document_chunks SET text = 'POISON ' || id WHERE stock_code = 'XB'")

    result = run(instance, services)

    assert not result.success
    assert set(materialized(instance, result, VECTORIZED_CHUNKS)) == {A, C, D}
    assert red(instance) == {B}
    assert failure(result).startswith(f"1 of 4 partitions failed, 3 are done. {B}: 2 of 2 chunks failed")
    (reason,) = [event for event in observations(instance, result) if "failed" in event.metadata]
    assert (reason.partition, reason.metadata["error"].value) == (B, "TooManyFailures")
    assert (reason.metadata["failed"].value, reason.metadata["pending"].value) == (2, 2)


def interrupt_at_c(services: FakeServices, before: Callable[[], None] = lambda: None) -> None:
    """Ctrl-C or a termination, while the chunks of the third partition are embedded."""

    def interrupt(texts: Sequence[str]) -> None:
        if any("of XC" in text for text in texts):
            before()
            _thread.interrupt_main()

    services.embedder.before = interrupt


def trace(result: dg.ExecuteInProcessResult) -> list[str]:
    """The stack trace that the run page shows of the one failed step."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.error.stack


def test_a_canceled_run_says_what_it_committed_and_begins_nothing_more(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey]
) -> None:
    """In one sentence; Dagster marks it as canceled, and what was done before stays."""
    interrupt_at_c(services, lambda: instance.report_run_canceling(instance.get_runs()[0]))

    result = run(instance, services)

    assert instance.get_run_by_id(result.run_id).status == dg.DagsterRunStatus.CANCELED
    assert trace(result) == []
    assert failure(result).startswith(f"canceled: 0 of 2 chunks of {C} were committed and are kept; 2 stay pending")
    assert set(materialized(instance, result, VECTORIZED_CHUNKS)) == {A, B}


def test_a_run_whose_process_is_stopped_has_failed(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey]
) -> None:
    """Nobody canceled it, so that it is started again; no stack trace is printed either."""
    interrupt_at_c(services)

    result = run(instance, services)

    assert instance.get_run_by_id(result.run_id).status == dg.DagsterRunStatus.FAILURE
    assert trace(result) == []
    assert set(materialized(instance, result, VECTORIZED_CHUNKS)) == {A, B}


def test_what_would_fail_all_partitions_ends_the_run(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey]
) -> None:
    """Those that were done stay green; the rest is red and still pending."""
    fail_on(services, "of XC")

    result = run(instance, services)

    assert set(materialized(instance, result, VECTORIZED_CHUNKS)) == {A, B}
    assert red(instance) == {C, D}
    assert failure(result).startswith("1 of 4 partitions failed, 2 are done. 1 were not tried.")
    assert "fails on any text" in failure(result)


def test_what_passes_is_tried_again_within_the_partition(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey], pauses: Pauses
) -> None:
    """Another attempt of the whole step would materialize the others twice, or green one whose chunks failed."""
    services.vectorizer()  # the table of vectors is there
    with connect(services.url) as other:
        other.execute(f"ALTER DATABASE {services.url.database} SET statement_timeout = '200ms'")
        services.database.close()
        other.execute("BEGIN")
        other.execute("LOCK TABLE embedding_spaces")
        pauses.act = other.rollback

        result = run(instance, services)

    assert result.success
    assert pauses.of_steps == 1
    made = materialized(instance, result, VECTORIZED_CHUNKS)
    assert {key: totals["vectorized"] for key, totals in made.items()} == {A: 2, B: 2, C: 2, D: 2}


def test_a_second_run_does_the_rest(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey]
) -> None:
    """Nothing twice; all is green then."""
    fail_on(services, "of XC")
    run(instance, services)
    embedder: HashEmbedder = services.embedder
    embedder.before, embedder.poison = (lambda _: None), "POISON"
    embedder.embedded.clear()

    result = run(instance, services)

    assert result.success
    assert sorted(embedder.embedded) == ["first of XC", "first of XD", "second of XC", "second of XD"]
    assert red(instance) == set()


def test_a_reversed_range_is_refused(
    instance: dg.DagsterInstance, services: FakeServices, four: list[PartitionKey]
) -> None:
    """Dagster would run over nothing, and call that a success."""
    result = run(instance, services, D, A)

    assert not result.success
    assert failure(result).startswith(f"there is no partition from {D} to {A}")


def test_files_of_a_range_become_vectors_in_one_run(
    instance: dg.DagsterInstance, services: FakeServices, landing: Path
) -> None:
    """Each asset of each partition has one materialization, with its own totals."""
    for number, key in enumerate(KEYS, 1):
        land(landing, key, "2024.txt", sentences(number))
    register(instance, KEYS)

    result = run(instance, services, assets=CHAIN)

    assert result.success
    assert {key: made["read"] for key, made in materialized(instance, result, DOCUMENTS).items()} == dict.fromkeys(
        [A, B, C, D], 1
    )
    chunked = {key: made["added"] for key, made in materialized(instance, result, DOCUMENT_CHUNKS).items()}
    made = {key: made["vectorized"] for key, made in materialized(instance, result, VECTORIZED_CHUNKS).items()}
    assert chunked == made == {A: 1, B: 2, C: 3, D: 4}


def shrink_the_second(instance: dg.DagsterInstance, services: FakeServices, landing: Path) -> None:
    """All four have forty chunks each, and the document of the second is a short one now."""
    for key in KEYS:
        land(landing, key, "2024.txt", sentences(40))
    register(instance, KEYS)
    assert run(instance, services, assets=CHAIN).success
    land(landing, KEYS[1], "2024.txt", sentences(3))


def test_a_partition_that_would_shrink_fails_alone(
    instance: dg.DagsterInstance, services: FakeServices, landing: Path
) -> None:
    """Its chunks stay, the others are cut; Dagster leaves out the step after one that failed."""
    shrink_the_second(instance, services, landing)
    land(landing, KEYS[2], "2024.txt", sentences(41))

    result = run(instance, services, assets=CHAIN)

    assert not result.success
    chunked = materialized(instance, result, DOCUMENT_CHUNKS)
    assert {key: made["chunks"] for key, made in chunked.items()} == {A: 40, C: 41, D: 40}
    assert red(instance, DOCUMENT_CHUNKS) == {B}
    assert services.documents.counts(KEYS[1]) == (1, 40)
    assert "would shrink from 40 chunks to 3" in failure(result)


def test_a_backfill_puts_so_many_partitions_into_a_run() -> None:
    """As the setting says, for all three assets: a backfill of them needs one policy."""
    policies = {asset.backfill_policy for asset in in_ranges(7)}

    assert policies == {dg.BackfillPolicy.multi_run(7)}
