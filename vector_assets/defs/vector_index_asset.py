"""`gold/vector_index`: the index of each live space, built while the run page shows how far it is, and its check."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import dagster as dg
from pydantic import Field

from ..audit.question_file import read_questions
from ..domain.spaces import EmbeddingSpace
from ..domain.wording import readable_bytes, readable_seconds
from ..index_upkeep import IndexOptions, IndexReport
from ..services import Services
from ..translation import translate
from ..vector_index.build_progress import BuildPhase, BuildProgress
from ..vector_index.recall import MOST_EF_SEARCH, RecallRow
from .asset_keys import CANDIDATE_VECTORS, VECTOR_INDEX, VECTORIZED_CHUNKS
from .assets import GROUP, OWNERS, TAGS
from .runtime.run_processes import sign_run
from .step_failures import one_line_failures

RECALL = "recall_at_10"

# Of the observations of one build: a page shows a long build in some hundreds.
_EVENT_SECONDS = 2.0
_EVENT_SHARE = 0.005


class VectorIndexConfig(dg.Config):
    """Run config of `gold/vector_index`."""

    rebuild: bool = Field(False, description="Build a new index, also where there is one or few vectors.")
    spill: bool = Field(False, description="Build although the graph does not fit into memory.")
    most_ef_search: int = Field(
        MOST_EF_SEARCH, ge=1, le=1000, description="The largest ef_search that may be chosen; more makes searches slow."
    )
    questions: str | None = Field(None, description="A file of questions whose recall is measured too.")

    def options(self) -> IndexOptions:
        """Read the file of questions, if there is one.

        Raises:
            InvalidQuestions: it cannot be used.
        """
        asked = read_questions(Path(self.questions)) if self.questions else ()
        return IndexOptions(self.rebuild, self.spill, self.most_ef_search, asked)


@dg.asset(
    key=VECTOR_INDEX,
    deps=[VECTORIZED_CHUNKS, CANDIDATE_VECTORS],
    group_name=GROUP,
    owners=OWNERS,
    tags=TAGS,
    kinds={"postgres"},
    check_specs=[
        dg.AssetCheckSpec(
            RECALL,
            asset=VECTOR_INDEX,
            blocking=True,
            description="Of the ten nearest vectors, searches find the share min_recall_at_10 or more, in each market "
            "and under filters of each width. Below it, searches compare with every vector.",
        )
    ],
    description="The HNSW index of each live embedding space: built from VECTOR_ASSETS_INDEX_FROM_VECTORS on, without "
    "stopping readers and writers; used once it has passed its check, and built again when it finds too little.",
)
def vector_index(
    context: dg.AssetExecutionContext, config: VectorIndexConfig, vector_assets_services: dg.ResourceParam[Services]
) -> Iterator[dg.MaterializeResult[None]]:
    """Keep the index of the serving space and of the one that is filled."""
    services = vector_assets_services
    sign_run(context)
    reports = []
    with one_line_failures(context, services.retries.pause):
        options = config.options()
        for space in services.spaces.live():
            reports.append(services.index_upkeep.keep(space, options, IndexEvents(context, space)))
    yield dg.MaterializeResult(metadata=index_metadata(reports), check_results=[check_result(reports)])


class IndexEvents:
    """Logs the work on one space: an observation every few seconds while an index is built."""

    def __init__(self, context: dg.AssetExecutionContext, space: EmbeddingSpace) -> None:
        self._context = context
        self._space = space
        self._due_at = 0.0

    def notice(self, line: str) -> None:
        """Log a line."""
        self._context.log.info(f"{self._space.slug}: {line}")

    def warning(self, line: str) -> None:
        """Log a warning."""
        self._context.log.warning(f"{self._space.slug}: {line}")

    def progress(self, progress: BuildProgress) -> None:
        """Log an observation, if one is due."""
        if time.monotonic() < self._due_at and progress.phase is not BuildPhase.DONE:
            return
        self._due_at = time.monotonic() + max(_EVENT_SECONDS, _EVENT_SHARE * progress.elapsed_seconds)
        self._context.log_event(dg.AssetObservation(VECTOR_INDEX, metadata=_progress_metadata(progress, self._space)))


def _progress_metadata(progress: BuildProgress, space: EmbeddingSpace) -> Mapping[str, dg.MetadataValue]:
    figures: dict[str, float | None] = {
        "progress/percent": progress.percent,
        "progress/vectors_per_second": progress.vectors_per_second,
        "progress/seconds_left": progress.seconds_left,
        "progress/elapsed_seconds": progress.elapsed_seconds,
    }
    return {
        "progress": dg.MetadataValue.text(progress.line()),
        "space": dg.MetadataValue.text(space.slug),
        **{name: dg.MetadataValue.float(round(value, 1)) for name, value in figures.items() if value is not None},
        "progress/memory_bytes": dg.MetadataValue.int(progress.memory_bytes),
        **({"warning": dg.MetadataValue.text(translate("spilled to disk"))} if progress.spilled else {}),
    }


def index_metadata(reports: Sequence[IndexReport]) -> Mapping[str, dg.MetadataValue]:
    """Describe the index of each space; the figures that are plotted are those of the first, which serves."""
    if not reports:
        return {"summary": dg.MetadataValue.text(translate("There are no vectors yet."))}
    serving = reports[0]
    figures: dict[str, dg.MetadataValue] = {"vectors": dg.MetadataValue.int(serving.plan.state.vectors)}
    if serving.used is not None:
        figures["index_bytes"] = dg.MetadataValue.int(serving.used.bytes)
        figures["ef_search"] = dg.MetadataValue.int(serving.used.ef_search or 0)
        figures["lowest_recall_at_10"] = dg.MetadataValue.float(round(serving.used.recall or 0.0, 4))
    if serving.build_seconds is not None:
        figures["build_seconds"] = dg.MetadataValue.float(round(serving.build_seconds, 1))
    return {
        "summary": dg.MetadataValue.text(serving.line()),
        **figures,
        "spaces": dg.MetadataValue.table([_space_row(report) for report in reports]),
    }


def _space_row(report: IndexReport) -> dg.TableRecord:
    forecast, seconds = report.plan.forecast, report.build_seconds
    return dg.TableRecord(
        {
            "space": report.plan.space.slug,
            "vectors": report.plan.state.vectors,
            "searches use": translate("the index") if report.used else translate("every vector"),
            "built in": readable_seconds(seconds) if seconds is not None else "",
            "forecast": readable_seconds(forecast.seconds) if seconds is not None else "",
            "index": readable_bytes(report.used.bytes) if report.used else "",
            "result": report.line(),
        }
    )


def check_result(reports: Sequence[IndexReport]) -> dg.AssetCheckResult:
    """Report the recall to Dagster: a row for each space, market and width."""
    rows = [
        _recall_row(report, row)
        for report in reports
        if report.recall is not None
        for row in sorted(report.recall.report.rows, key=lambda row: (row.market, row.width))
    ]
    lowest = min((report.recall.report.lowest for report in reports if report.recall), default=None)
    return dg.AssetCheckResult(
        check_name=RECALL,
        passed=all(report.passed for report in reports),
        severity=dg.AssetCheckSeverity.ERROR,
        description=" ".join(report.line() for report in reports) or translate("There are no vectors yet."),
        metadata={
            **({"lowest_recall_at_10": dg.MetadataValue.float(round(lowest, 4))} if lowest is not None else {}),
            **({"recall_at_10": dg.MetadataValue.table(rows)} if rows else {}),
        },
    )


def _recall_row(report: IndexReport, row: RecallRow) -> dg.TableRecord:
    assert report.recall is not None
    return dg.TableRecord(
        {
            "space": report.plan.space.slug,
            "market": row.market,
            "filter": row.width,
            "recall@10": round(row.recall, 4),
            "queries": row.queries,
            "missing hits": row.missing,
            "answered by": translate("the index") if row.by_index else translate("every vector"),
            "ms (median)": round(row.median_milliseconds, 1),
            "ef_search": report.recall.report.ef_search,
        }
    )


def record_index(instance: dg.DagsterInstance, reports: Sequence[IndexReport]) -> None:
    """Record what was done about the indexes outside a run."""
    result = check_result(reports)
    instance.report_runless_asset_event(dg.AssetMaterialization(VECTOR_INDEX, metadata=index_metadata(reports)))
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=VECTOR_INDEX,
            check_name=RECALL,
            passed=result.passed,
            metadata=result.metadata,
            severity=result.severity,
            description=result.description,
            blocking=True,
        )
    )


vector_index_job = dg.define_asset_job(
    "vector_assets_index",
    selection=dg.AssetSelection.assets(VECTOR_INDEX),
    executor_def=dg.in_process_executor,
    description="Build, check or renew the index of each live space.",
)

# At night, when few add documents; where nothing is due it takes as long as the check.
vector_index_nightly = dg.ScheduleDefinition(
    name="vector_assets_index_nightly",
    job=vector_index_job,
    cron_schedule="30 2 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Checks each night what the index finds, and builds one where it is due.",
)

VECTOR_INDEX_ASSETS = [vector_index]
VECTOR_INDEX_JOBS = [vector_index_job]
VECTOR_INDEX_SCHEDULES = [vector_index_nightly]
