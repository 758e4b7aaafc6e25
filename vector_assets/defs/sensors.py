"""Sensors that ask the present state what is to be done. They keep no cursor, so there is none to lose."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from ..domain import PartitionKey, PendingPartition
from ..errors import VectorAssetsError
from ..wiring import Parts
from .jobs import ingest, vectorize
from .keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from .partitions import PARTITIONS, run_tags, unregistered
from .runs import Runs

TICK_SECONDS = 30
# 100 requests take about 12 s to submit, and a tick may last 60.
MOST_REQUESTS = 100

Answer = dg.SensorResult | dg.SkipReason


@dg.sensor(
    job=vectorize,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds partitions with pending chunks, whoever wrote them, and starts a run for each.",
)
def new_chunks_sensor(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> Answer:
    """Request a run for every partition with pending chunks that has none under way."""
    return _or_skip(context, lambda: _runs_for_pending(context, parts))


def _runs_for_pending(context: dg.SensorEvaluationContext, parts: Parts) -> Answer:
    pending = parts.pending_partitions()
    chosen = _choose(context.instance, VECTORIZED_CHUNKS, vectorize.name, [item.partition for item in pending])
    if not chosen:
        return dg.SkipReason(f"{len(pending)} partitions have pending chunks; a run of each is under way or due later")
    written = [item for item in pending if item.partition in chosen]
    return dg.SensorResult(
        run_requests=_requests(chosen),
        dynamic_partitions_requests=_registration(context.instance, [item.partition for item in pending]),
        asset_events=list(_chunks_of_others(context.instance, parts, written)),
    )


@dg.sensor(
    job=ingest,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds new and changed files in the landing directory and starts a run for each of their partitions.",
)
def landing_sensor(context: dg.SensorEvaluationContext, parts: dg.ResourceParam[Parts]) -> Answer:
    """Request a run for every partition whose folder holds something new."""
    return _or_skip(context, lambda: _runs_for_landed(context, parts))


def _runs_for_landed(context: dg.SensorEvaluationContext, parts: Parts) -> Answer:
    changes = parts.ingestion.changes()
    for rejection in changes.misplaced:
        context.log.warning(rejection.message)
    chosen = _choose(context.instance, DOCUMENTS, ingest.name, changes.partitions)
    if not chosen:
        return dg.SkipReason(f"{len(changes.partitions)} partitions have new files; a run of each is under way or due")
    return dg.SensorResult(
        run_requests=_requests(chosen),
        dynamic_partitions_requests=_registration(context.instance, changes.partitions),
    )


def _or_skip(context: dg.SensorEvaluationContext, answer: Callable[[], Answer]) -> Answer:
    """What is wrong and how to mend it, in place of a traceback; the next tick asks again."""
    try:
        return answer()
    except VectorAssetsError as error:
        context.log.warning(str(error))
        return dg.SkipReason(str(error))


def _choose(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, job: str, partitions: Sequence[PartitionKey]
) -> list[PartitionKey]:
    """The first partitions that have no run under way and no recent failure to wait for."""
    runs = Runs(instance)
    runs.end_orphans()
    busy = runs.partitions_under_way() | runs.partitions_resting(asset_key, job, datetime.now(UTC))
    return [key for key in partitions if str(key) not in busy][:MOST_REQUESTS]


def _requests(partitions: Sequence[PartitionKey]) -> list[dg.RunRequest]:
    # No run_key: Dagster would drop a partition for good once a run with the same key had failed.
    return [dg.RunRequest(partition_key=str(key), tags=run_tags(key)) for key in partitions]


def _registration(
    instance: dg.DagsterInstance, partitions: Sequence[PartitionKey]
) -> list[dg.AddDynamicPartitionsRequest]:
    new = unregistered(instance, partitions)
    return [PARTITIONS.build_add_request(new)] if new else []


def _chunks_of_others(
    instance: dg.DagsterInstance, parts: Parts, pending: Sequence[PendingPartition]
) -> Iterator[dg.AssetMaterialization]:
    """Materializations for chunks written since the last one: rows of other programs, which Dagster did not see."""
    for item in pending:
        key = str(item.partition)
        of_partition = dg.AssetRecordsFilter(asset_key=DOCUMENT_CHUNKS, asset_partitions=[key])
        last = instance.fetch_materializations(of_partition, limit=1).records
        if last and last[0].timestamp >= item.newest_text_at.timestamp():
            continue
        _, chunks = parts.documents.counts(item.partition)
        yield dg.AssetMaterialization(
            asset_key=DOCUMENT_CHUNKS,
            partition=key,
            description="Rows written by another program.",
            metadata={"chunks": chunks, "pending": item.pending, "written_by": "another program"},
            tags={"dagster/data_version": parts.coverage.content_digest(item.partition)},
        )


SENSORS = [new_chunks_sensor, landing_sensor]
