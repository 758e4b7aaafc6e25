"""`gold/coverage`: how complete everything is, now, and whether anything has been pending for too long."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from ..domain.coverage import GroupBy, GroupStatus, PartitionStatus, grouped, readable_age
from ..domain.spaces import EmbeddingSpace
from ..services import Services
from .asset_keys import COVERAGE, VECTORIZED_CHUNKS
from .assets import GROUP, OWNERS
from .canvas import as_markdown
from .heatmap import TITLE, Grid, draw, percent
from .runtime.run_processes import sign_run
from .runtime.tags import PRIORITY_TAG
from .step_failures import one_line_failures

FRESH = "fresh"

# A table in an event is read whole with its page; `vector-assets status --json` has every partition.
SHOWN_GROUPS = 20
SHOWN_PARTITIONS = 10

_LAST_RUN = "last run (UTC)"

# Above what a sensor asks for: how much is pending is asked most when the queue is long, and counting takes a moment.
_PRIORITY = "2"

Metadata = Mapping[str, dg.MetadataValue]


@dg.asset(
    key=COVERAGE,
    # On all partitions: what Dagster takes where nothing is said. From a hundred of them on it looks at none of them
    # when a step begins, only at the newest materialization.
    deps=[VECTORIZED_CHUNKS],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    # By the step that counts, so that the figures and the verdict are of the same moment.
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
    """Count, draw and judge."""
    services = vector_assets_services
    sign_run(context)
    with one_line_failures(context, services.retries.pause):
        space = services.spaces.active()
        statuses = services.coverage.status(space.slug if space else None)
    now = datetime.now(UTC)
    yield dg.MaterializeResult(
        metadata={
            **totals(statuses, space, now),
            "heat_map": dg.MetadataValue.md(_picture(statuses)),
            **tables(statuses, now),
        },
        check_results=[freshness(statuses, services.settings.freshness_slo_hours, now)],
    )


def _picture(statuses: Sequence[PartitionStatus]) -> str:
    if not statuses:
        return "There are no chunks yet."
    return as_markdown(draw(Grid.of(statuses)), TITLE)


def totals(statuses: Sequence[PartitionStatus], space: EmbeddingSpace | None, now: datetime) -> Metadata:
    """Sums over everything, which Dagster plots over time, and the model whose vectors are counted."""
    whole = GroupStatus.of("all", statuses)
    return {
        "partitions": dg.MetadataValue.int(whole.partitions),
        "chunks": dg.MetadataValue.int(whole.chunks),
        "current": dg.MetadataValue.int(whole.current),
        "pending": dg.MetadataValue.int(whole.pending),
        "quarantined": dg.MetadataValue.int(whole.quarantined),
        "coverage": dg.MetadataValue.float(_floor(whole)),
        "oldest_pending_hours": dg.MetadataValue.float(round(_hours(whole, now), 2)),
        "truncated_chunks": dg.MetadataValue.int(whole.token_totals.truncated_chunks),
        "tokens_lost_share": dg.MetadataValue.float(round(whole.token_totals.lost_share, 4)),
        "model": dg.MetadataValue.text(f"{space.model} ({space.revision})" if space else "none yet"),
    }


def tables(statuses: Sequence[PartitionStatus], now: datetime) -> Metadata:
    """A line per market, per document type and per company."""
    return {
        "markets": _table("market", grouped(statuses, GroupBy.MARKET), now),
        "doc_types": _table("doc_type", grouped(statuses, GroupBy.DOC_TYPE), now),
        "companies": _table("company", grouped(statuses, GroupBy.COMPANY), now),
    }


def freshness(statuses: Sequence[PartitionStatus], limit_hours: float, now: datetime) -> dg.AssetCheckResult:
    """Whether nothing has been pending for longer than so many hours; if something has, what has waited longest.

    A failure is an error, not a warning: the limit is a promise to those who search, and beyond it somebody must act.
    It stops no run, for nothing is made of this asset.
    """
    late = sorted(
        (item for item in statuses if _hours(item, now) > limit_hours),
        key=lambda item: (-_hours(item, now), item.partition),
    )
    metadata: dict[str, dg.MetadataValue] = {
        "limit_hours": dg.MetadataValue.float(limit_hours),
        "oldest_pending_hours": dg.MetadataValue.float(round(_hours(GroupStatus.of("all", statuses), now), 2)),
        "partitions": dg.MetadataValue.int(len(late)),
    }
    if late:
        metadata["worst"] = dg.MetadataValue.table([_waiting(item, now) for item in late[:SHOWN_PARTITIONS]])
    return dg.AssetCheckResult(
        check_name=FRESH,
        passed=not late,
        severity=dg.AssetCheckSeverity.ERROR,
        description=_verdict(late, limit_hours, now),
        metadata=metadata,
    )


def _verdict(late: Sequence[PartitionStatus], limit_hours: float, now: datetime) -> str:
    if not late:
        return f"Nothing has been pending for longer than {limit_hours:g} h."
    worst = late[0]
    many = "1 partition has" if len(late) == 1 else f"{len(late):,} partitions have"
    return (
        f"{many} been pending for longer than {limit_hours:g} h, {worst.partition} for {_age(worst, now)}. See on its "
        "page of silver/vectorized_chunks why its runs fail; if there are none, see whether "
        "vector_assets_new_chunks_sensor runs."
    )


def _table(title: str, groups: Sequence[GroupStatus], now: datetime) -> dg.MetadataValue:
    """Those that lack most first; where they are many, the last line adds up the others."""
    ordered = sorted(groups, key=lambda group: (group.current - group.chunks, group.name))
    shown, others = ordered[:SHOWN_GROUPS], ordered[SHOWN_GROUPS:]
    if others:
        incomplete = sum(group.current < group.chunks for group in others)
        shown.append(GroupStatus.of(f"{len(others):,} more, {incomplete:,} of them incomplete", others))
    return dg.MetadataValue.table([_line(title, group, now) for group in shown], _schema(title))


def _schema(title: str) -> dg.TableSchema:
    """What matters most comes first: on a small screen the last columns are out of sight."""
    types = {
        title: "string",
        "coverage": "string",
        "waiting": "string",
        "pending": "int",
        "quarantined": "int",
        "current": "int",
        "chunks": "int",
        "truncated": "int",
        "tokens lost": "string",
        "chunks/s": "string",
        _LAST_RUN: "string",
    }
    return dg.TableSchema([dg.TableColumn(name, kind) for name, kind in types.items()])


def _line(title: str, group: GroupStatus, now: datetime) -> dg.TableRecord:
    run = group.last_run
    return dg.TableRecord(
        {
            title: group.name,
            "coverage": percent(group),
            "waiting": _age(group, now),
            "pending": group.pending,
            "quarantined": group.quarantined,
            "current": group.current,
            "chunks": group.chunks,
            "truncated": group.token_totals.truncated_chunks,
            "tokens lost": f"{group.token_totals.lost_share:.1%}",
            "chunks/s": f"{run.chunks_per_second:,.0f}" if run else "",
            # A moment, for nobody knows when this is read; with a blank at which it is not cut in two lines.
            _LAST_RUN: f"{run.ended_at.astimezone(UTC):%Y-%m-%d\N{NO-BREAK SPACE}%H:%M}" if run else "",
        }
    )


def _waiting(item: PartitionStatus, now: datetime) -> dg.TableRecord:
    return dg.TableRecord({"partition": str(item.partition), "pending": item.pending, "waiting": _age(item, now)})


def _age(item: PartitionStatus | GroupStatus, now: datetime) -> str:
    return readable_age(item.pending_since, now) if item.pending_since else ""


def _hours(item: PartitionStatus | GroupStatus, now: datetime) -> float:
    """For how long its oldest pending text has been waiting; 0 where nothing is pending."""
    return max((now - item.pending_since).total_seconds() / 3600, 0.0) if item.pending_since else 0.0


def _floor(group: GroupStatus) -> float:
    """The coverage with four decimals, rounded down: 1 is said of nothing less."""
    return group.current * 10_000 // group.chunks / 10_000 if group.chunks else 1.0


coverage_job = dg.define_asset_job(
    "vector_assets_coverage",
    selection=dg.AssetSelection.assets(COVERAGE),
    executor_def=dg.in_process_executor,
    tags={PRIORITY_TAG: _PRIORITY},
    description="Count how complete everything is.",
)

# What was missed while Dagster was off, it asks for once and not for every hour.
coverage_hourly = dg.ScheduleDefinition(
    name="vector_assets_coverage_hourly",
    job=coverage_job,
    cron_schedule="0 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Counts every hour how complete all partitions are, and checks that none has been pending too long.",
)

COVERAGE_ASSETS = [coverage]
COVERAGE_JOBS = [coverage_job]
SCHEDULES = [coverage_hourly]
