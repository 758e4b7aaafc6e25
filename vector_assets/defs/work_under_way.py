"""Shows on the page of `gold/coverage` how far all runs together are, whichever node they are on."""

from collections.abc import Iterator, Sequence

import dagster as dg

from ..domain.runs_at_work import RunAtWork
from ..domain.spaces import EmbeddingSpace
from ..errors import VectorAssetsError
from ..estimates.work_under_way import WorkUnderWay
from ..services import Services
from ..translation import translate
from .asset_keys import CANDIDATE_VECTORS, COVERAGE, VECTORIZED_CHUNKS, VECTORS
from .observed_batches import batch_of
from .runtime.run_processes import NODE_TAG

# Four times a minute while runs embed. No run is started for it, so that it takes no node's slot.
_SECONDS = 15
# Of a run, the last events may be of other assets or of a failure.
_READ = 5

_COLUMNS = dg.TableSchema(
    [
        dg.TableColumn("node", "string"),
        dg.TableColumn("runs", "int"),
        dg.TableColumn("chunks/s", "float"),
        dg.TableColumn("partitions", "string"),
    ]
)


@dg.sensor(
    name="vector_assets_work_under_way_sensor",
    minimum_interval_seconds=_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="While runs embed, shows on the page of gold/coverage how far all of them are: chunks, speed, time "
    "left, and what each node does.",
)
def work_under_way_sensor(
    context: dg.SensorEvaluationContext, vector_assets_services: dg.ResourceParam[Services]
) -> dg.SensorResult | dg.SkipReason:
    """Record what the runs under way report, added up."""
    started = context.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    batches = [found for run in started if (found := _last_batch(context.instance, run)) is not None]
    if not batches:
        return dg.SkipReason(translate("no run embeds"))
    try:
        return dg.SensorResult(asset_events=list(_observations(vector_assets_services, batches)))
    except VectorAssetsError as error:
        return dg.SkipReason(str(error))


def _last_batch(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[dg.AssetKey, str, RunAtWork] | None:
    """Read the last batch that a run has reported, with the asset and the run's machine; None where there is none."""
    page = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION, limit=_READ, ascending=False
    )
    for record in page.records:
        asset, batch = record.asset_key, batch_of(record)
        if asset in VECTORS and batch is not None:
            return asset, run.tags.get(NODE_TAG, ""), batch
    return None


def _observations(
    services: Services, batches: Sequence[tuple[dg.AssetKey, str, RunAtWork]]
) -> Iterator[dg.AssetObservation]:
    """Make one for the space that serves and one for that which is filled, where runs embed into it."""
    for asset, space in (
        (VECTORIZED_CHUNKS, services.spaces.serving()),
        (CANDIDATE_VECTORS, services.spaces.filling()),
    ):
        runs = [(node, batch) for of, node, batch in batches if of == asset]
        if space is not None and runs:
            statuses = services.coverage.status(space.slug)
            chunks, pending = sum(item.chunks for item in statuses), sum(item.pending for item in statuses)
            yield _observation(space, WorkUnderWay(chunks, pending, runs))


def _observation(space: EmbeddingSpace, work: WorkUnderWay) -> dg.AssetObservation:
    nodes = [
        dg.TableRecord(
            {
                "node": node.name,
                "runs": node.runs,
                "chunks/s": round(node.chunks_per_second, 1),
                "partitions": ", ".join(node.partitions),
            }
        )
        for node in work.nodes()
    ]
    metadata: dict[str, dg.MetadataValue] = {
        "progress": dg.MetadataValue.text(work.line()),
        "space": dg.MetadataValue.text(space.slug),
        "progress/percent": dg.MetadataValue.float(round(work.percent, 1)),
        "progress/done": dg.MetadataValue.int(work.done),
        "progress/pending": dg.MetadataValue.int(work.pending),
        "progress/chunks": dg.MetadataValue.int(work.chunks),
        "progress/runs": dg.MetadataValue.int(len(work.runs)),
        "progress/nodes": dg.MetadataValue.int(len(nodes)),
        "progress/chunks_per_second": dg.MetadataValue.float(round(work.chunks_per_second, 1)),
        "nodes": dg.MetadataValue.table(nodes, _COLUMNS),
    }
    if work.seconds_left is not None:
        metadata["progress/seconds_left"] = dg.MetadataValue.float(round(work.seconds_left, 1))
    return dg.AssetObservation(COVERAGE, description=work.line(), metadata=metadata)


WORK_SENSORS = [work_under_way_sensor]
