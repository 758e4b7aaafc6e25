"""Sensors that ask the tables what is pending. They keep no cursor, so that there is none to lose."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from ..domain.folded_reasons import folded_reasons
from ..domain.run_grouping import PartitionOrder, WaitingPartition, choose_ranges
from ..errors import VectorAssetsError
from ..services import Services
from ..translation import ngettext, translate
from .asset_keys import CANDIDATE_VECTORS, DOCUMENTS, VECTORIZED_CHUNKS
from .assets import EMBEDDER_POOL
from .jobs import fill_candidate, ingest, vectorize
from .partitions import PARTITIONS_NAME, register
from .run_history import Runs
from .run_requests import MOST_REQUESTS, run_request
from .runtime.pools import pool_limit

# Five seconds instead of ten cost 1 % of a core while nothing happens (7.1 and 6.4 s of CPU of all processes in 60 s).
TICK_SECONDS = 5

TickResult = dg.SensorResult | dg.SkipReason


@dg.sensor(
    name="vector_assets_new_chunks_sensor",
    job=vectorize,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds partitions with pending chunks, whoever wrote them, and starts runs for them: small neighbors "
    "share a run, the oldest come first, and each market has its turn.",
)
def new_chunks_sensor(
    context: dg.SensorEvaluationContext, vector_assets_services: dg.ResourceParam[Services]
) -> TickResult:
    """Request runs for the partitions with pending chunks that have none under way."""
    return _result_or_skip(context, lambda: _runs_for_pending(context, vector_assets_services))


def _runs_for_pending(context: dg.SensorEvaluationContext, services: Services) -> TickResult:
    return _requests_or_skip(context, services.in_serving_space, VECTORIZED_CHUNKS, vectorize.name)


@dg.sensor(
    name="vector_assets_candidate_sensor",
    job=fill_candidate,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Does the same for the embedding space that is filled beside the serving one, where there is one.",
)
def candidate_sensor(
    context: dg.SensorEvaluationContext, vector_assets_services: dg.ResourceParam[Services]
) -> TickResult:
    """Request runs for the partitions with pending chunks in the filling space that have none under way."""
    return _result_or_skip(context, lambda: _runs_for_candidate(context, vector_assets_services))


def _runs_for_candidate(context: dg.SensorEvaluationContext, services: Services) -> TickResult:
    if services.spaces.filling() is None:
        return dg.SkipReason(translate("no embedding space is filled beside the serving one"))
    return _requests_or_skip(context, services.in_filling_space, CANDIDATE_VECTORS, fill_candidate.name)


def _requests_or_skip(
    context: dg.SensorEvaluationContext, services: Services, asset: dg.AssetKey, job: str
) -> TickResult:
    pending = services.pending_partitions()
    waiting = [WaitingPartition(item.partition, item.pending_since, item.pending) for item in pending]
    changed = {str(item.partition): item.last_pending_since for item in pending}
    nothing_due = ngettext(
        "{number} partition has pending chunks; a run for it is under way, in the queue, due later, or was canceled",
        "{number} partitions have pending chunks; runs for them are under way, in the queue, due later, or were "
        "canceled",
        len(waiting),
    )
    return _request(context, services, asset, job, waiting, changed) or dg.SkipReason(nothing_due)


@dg.sensor(
    name="vector_assets_landing_sensor",
    job=ingest,
    minimum_interval_seconds=TICK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Finds new and changed files in the landing directory and starts runs for their partitions; neighbors "
    "share a run.",
)
def landing_sensor(
    context: dg.SensorEvaluationContext, vector_assets_services: dg.ResourceParam[Services]
) -> TickResult:
    """Request runs for the partitions whose folder holds something new."""
    return _result_or_skip(context, lambda: _runs_for_landed(context, vector_assets_services))


def _runs_for_landed(context: dg.SensorEvaluationContext, services: Services) -> TickResult:
    changes = services.ingestion.changes()
    for line in folded_reasons(changes.misplaced, changes.manifest_rows):
        context.log.warning(line)
    now = datetime.now(UTC)
    waiting = [WaitingPartition(partition, now) for partition in changes.partitions]
    changed = {str(partition): at for partition, at in changes.changed_at.items()}
    nothing_due = ngettext(
        "{number} partition has new files; a run for it is under way, in the queue, due later, or was canceled",
        "{number} partitions have new files; runs for them are under way, in the queue, due later, or were canceled",
        len(waiting),
    )
    return _request(context, services, DOCUMENTS, ingest.name, waiting, changed) or dg.SkipReason(nothing_due)


def _result_or_skip(context: dg.SensorEvaluationContext, evaluate: Callable[[], TickResult]) -> TickResult:
    """Skip the tick with one line that says what is wrong and how to fix it; the next tick asks again."""
    try:
        return evaluate()
    except VectorAssetsError as error:
        context.log.warning(str(error))
        return dg.SkipReason(str(error))


def _request(
    context: dg.SensorEvaluationContext,
    services: Services,
    asset: dg.AssetKey,
    job: str,
    waiting: Sequence[WaitingPartition],
    changed: Mapping[str, datetime],
) -> dg.SensorResult | None:
    """Request runs for what has none under way and no recent failure; None where nothing is to be done.

    Partitions that were canceled after they `changed` are left until somebody starts a run or their text changes.
    The queue is kept short, or chunks of another market that arrive later would be behind all of it.
    """
    # Registered before the runs are planned: a range goes by Dagster's order, in which another sensor's partitions
    # may come next.
    register(context.instance, [item.partition for item in waiting])
    known = context.instance.get_dynamic_partitions(PARTITIONS_NAME)
    runs = Runs(context.instance, known)
    runs.end_orphans(services.leases.expired_runs())
    now = datetime.now(UTC)
    blocked = runs.partitions_under_way() | runs.partitions_resting(asset, job, now)
    blocked |= runs.partitions_canceled(asset, job, changed, now)
    slots = pool_limit(context.instance, EMBEDDER_POOL)
    order = PartitionOrder(known, blocked, services.settings.max_partitions_per_run, slots)
    chosen = choose_ranges(waiting, order, MOST_REQUESTS - runs.queued(job))
    return dg.SensorResult([run_request(partitions) for partitions in chosen]) if chosen else None


SENSORS = [new_chunks_sensor, candidate_sensor, landing_sensor]
