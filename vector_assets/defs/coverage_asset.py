"""`gold/coverage`: how complete everything is now, and whether anything has been pending for too long."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from ..charts.coverage_heatmap import TITLE, CoverageGrid, draw_heatmap
from ..charts.coverage_table import column_types, coverage_rows, coverage_totals
from ..charts.figure import as_markdown
from ..domain.coverage import GroupBy, GroupStatus, PartitionStatus, grouped, with_company_names
from ..domain.wording import readable_chunks
from ..quality.freshness import Freshness, LatePartition, freshness
from ..services import Services
from ..storage.spending import Spent
from ..translation import ngettext, translate
from .asset_keys import COVERAGE, VECTORIZED_CHUNKS
from .assets import GROUP, OWNERS, TAGS
from .run_history import Runs
from .runtime.run_processes import sign_run
from .runtime.tags import PRIORITY_TAG
from .step_failures import one_line_failures

FRESH = "fresh"

# A check's table is read whole with its page.
MAX_LATE_PARTITIONS = 10
_SHOWN_SUMS = 200

# Above what a sensor asks for: how much is pending is asked most when the
# queue is long, and counting takes a moment.
_PRIORITY = "2"

Metadata = Mapping[str, dg.MetadataValue]


@dg.asset(
    key=COVERAGE,
    # On all partitions, as Dagster does where no mapping is given. From a hundred of them on it reads the version of
    # the newest materialization only when a step begins, not all of them.
    deps=[VECTORIZED_CHUNKS],
    group_name=GROUP,
    owners=OWNERS,
    tags=TAGS,
    kinds={"postgres"},
    # By the step that counts, so that the figures and the check's result are of the same moment.
    check_specs=[
        dg.AssetCheckSpec(
            FRESH,
            asset=COVERAGE,
            description="No partition has been pending for longer than VECTOR_ASSETS_FRESHNESS_SLO_HOURS.",
        )
    ],
    description="How complete all partitions are now: current, pending and quarantined chunks, counted in the tables "
    "and summed up by market, document type and company. Computed every hour; the plots show the history.",
)
def coverage(
    context: dg.AssetExecutionContext, vector_assets_services: dg.ResourceParam[Services]
) -> Iterator[dg.MaterializeResult[None]]:
    """Count the chunks, draw the heat map and judge the freshness."""
    services = vector_assets_services
    sign_run(context)
    with one_line_failures(context, services.retries.pause):
        space = services.spaces.serving()
        statuses = services.coverage.status(space.slug if space else None)
        names = services.company_names.all()
        spent = services.spending.grouped()
    now, whole = datetime.now(UTC), GroupStatus.of("all", statuses)
    yield dg.MaterializeResult(
        metadata={
            "summary": _summary(whole),
            "heat_map": dg.MetadataValue.md(_heat_map(statuses)),
            **coverage_totals(whole, now),
            "model": f"{space.model} ({space.revision})" if space else "none yet",
            "markets": _table("market", grouped(statuses, GroupBy.MARKET), now),
            "doc_types": _table("doc_type", grouped(statuses, GroupBy.DOC_TYPE), now),
            "companies": _table("company", with_company_names(grouped(statuses, GroupBy.COMPANY), names), now),
            **_spent(spent),
        },
        check_results=[check_result(freshness(statuses, services.settings.freshness_slo_hours, now))],
    )


def _summary(whole: GroupStatus) -> str:
    return translate(
        "{current:,} of {chunks} in {partitions} are current ({coverage}).",
        current=whole.current,
        chunks=readable_chunks(whole.chunks),
        partitions=ngettext("{number:,} partition", "{number:,} partitions", whole.partitions),
        coverage=whole.coverage_percent,
    )


def _heat_map(statuses: Sequence[PartitionStatus]) -> str:
    if not statuses:
        return "There are no chunks yet."
    return as_markdown(draw_heatmap(CoverageGrid.of(statuses)), TITLE)


def _table(title: str, groups: Sequence[GroupStatus], now: datetime) -> dg.MetadataValue:
    columns = [dg.TableColumn(name, kind) for name, kind in column_types(title).items()]
    records = [dg.TableRecord(row) for row in coverage_rows(title, groups, now)]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))


def _spent(sums: Sequence[Spent]) -> Metadata:
    """Show what servers were paid for by market, document type, company and day; nothing where no server was asked."""
    if not sums:
        return {}
    return {"tokens_used": dg.MetadataValue.table([dg.TableRecord(_spent_row(item)) for item in sums[:_SHOWN_SUMS]])}


def _spent_row(item: Spent) -> dict[str, str | int | float]:
    cost = f"{item.cost:,.4f} {item.currency}".strip()
    return {"of": item.kind, "name": item.name, "tokens": item.tokens, "cost": cost}


def check_result(found: Freshness) -> dg.AssetCheckResult:
    """Report the freshness to Dagster, with the partitions that have been pending for longest.

    A failure is an error, not a warning: the limit is a promise to those who search, and beyond it somebody must act.
    It stops no run, for nothing is made of this asset.
    """
    metadata: dict[str, dg.MetadataValue] = {
        "limit_hours": dg.MetadataValue.float(found.limit_hours),
        "oldest_pending_hours": dg.MetadataValue.float(round(found.oldest_pending_hours, 2)),
        "partitions": dg.MetadataValue.int(len(found.late)),
    }
    if found.late:
        metadata["worst"] = dg.MetadataValue.table([_late_row(item) for item in found.late[:MAX_LATE_PARTITIONS]])
    return dg.AssetCheckResult(
        check_name=FRESH,
        passed=found.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=found.description,
        metadata=metadata,
    )


def _late_row(item: LatePartition) -> dg.TableRecord:
    return dg.TableRecord(
        {"partition": str(item.partition), "pending": item.pending, "oldest pending": item.pending_for}
    )


coverage_job = dg.define_asset_job(
    "vector_assets_coverage",
    selection=dg.AssetSelection.assets(COVERAGE),
    executor_def=dg.in_process_executor,
    tags={PRIORITY_TAG: _PRIORITY},
    description="Count how complete everything is.",
)

# After a time without Dagster it is asked for once, not for every hour that was missed.
coverage_hourly = dg.ScheduleDefinition(
    name="vector_assets_coverage_hourly",
    job=coverage_job,
    cron_schedule="0 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Counts every hour how complete all partitions are, and checks that none has been pending too long.",
)

# Between two counts. The page is up to date soon after a backfill, and not counted for each of its runs.
_LEAST_MINUTES = 10


@dg.sensor(
    name="vector_assets_coverage_sensor",
    job=coverage_job,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Counts after chunks were embedded, but not more often than every {_LEAST_MINUTES} minutes.",
)
def coverage_sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request a count where vectors were materialized after the last one, by whichever process."""
    embedded = context.instance.get_latest_materialization_event(VECTORIZED_CHUNKS)
    counted = context.instance.get_latest_materialization_event(COVERAGE)
    if embedded is None or (counted is not None and counted.timestamp >= embedded.timestamp):
        return dg.SkipReason(translate("nothing was embedded since the last count"))
    if counted is not None and datetime.now(UTC).timestamp() - counted.timestamp < 60 * _LEAST_MINUTES:
        return dg.SkipReason(translate("counted less than {number} minutes ago", number=_LEAST_MINUTES))
    if Runs(context.instance).under_way(coverage_job.name):
        return dg.SkipReason(translate("a count is under way"))
    return dg.RunRequest()


COVERAGE_ASSETS = [coverage]
COVERAGE_SENSORS = [coverage_sensor]
COVERAGE_JOBS = [coverage_job]
SCHEDULES = [coverage_hourly]
