"""Run partitions one after another in this process, with progress on the terminal."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from ..domain.partition_keys import PartitionKey
from ..domain.progress import readable_speed, shortcomings
from ..domain.reports import VectorizeReport
from ..domain.run_results import FailedCheck, RunResult
from ..domain.wording import readable_chunks, readable_seconds
from ..errors import BudgetUsedUp, EmbedderBusy, EmbedderHung, EmbedderRefused, EmbedderUnavailable, RunCanceled
from ..estimates.backfill_plan import BackfillPlan
from ..estimates.backfill_time_left import BackfillTimeLeft
from ..quality.limits import QualityLimits
from ..quality.token_warnings import TokenCounts, token_warnings
from ..services import Services
from ..translation import marked, ngettext, translate
from .progress_bars import PartitionsProgress
from .signals import stop_on_signals
from .terminal import log_printed, print_warning, working

if TYPE_CHECKING:
    import dagster as dg

# Checks whose figures `summed_token_warnings` adds up, and the one whose documents `ingest` lists.
_SHOWN_OTHERWISE = {"vocabulary_covers_text", "nothing_truncated", "documents_read"}


def run_partitions(
    services: Services,
    partitions: Sequence[PartitionKey],
    assets: "Sequence[dg.AssetKey]",
    config: Mapping[str, Any] | None = None,
    plan: BackfillPlan | None = None,
    allow_shrink: bool = False,
) -> list[RunResult]:
    """Materialize the assets partition by partition; a model that does not answer stops them, a failed partition not.

    `config` is of the step that vectorizes. A plan lets the time left for all chunks be shown.

    Raises:
        Interrupted: a signal asked to stop; the current batch was committed.
        ModelError: the model cannot be used for any partition; no run was started.
    """
    with working(translate("opening Dagster's storage")):
        from ..defs.asset_keys import VECTORS
        from ..defs.runtime.in_process import recorded_runs
    if any(asset in VECTORS for asset in assets):
        _load_model(services)
    results, remaining = list[RunResult](), BackfillTimeLeft(plan.chunks, plan.seconds) if plan else None
    with (
        PartitionsProgress(partitions, remaining) as progress,
        stop_on_signals(asked=services.retries.ended) as stop,
        recorded_runs(services, progress) as runs,
    ):
        runs.prepare(partitions)
        for partition in partitions:
            progress.begin(partition)
            began = time.monotonic()
            results.append(runs.run(partition, assets, config, allow_shrink))
            stop.raise_if_asked(_stopped(results[-1]))
            if remaining:
                remaining.finish(partition, results[-1].report, time.monotonic() - began)
            progress.end(_line(results[-1]))
            if _ends_all(results[-1]):
                break
    _print_warnings(services, results, len(partitions))
    return results


def _ends_all(result: RunResult) -> bool:
    """Say whether further partitions would end in the same way."""
    stopped = result.report is not None and result.report.stopped is not None
    return stopped or isinstance(result.cause, EmbedderHung | EmbedderUnavailable | EmbedderRefused | BudgetUsedUp)


def _stopped(result: RunResult) -> str | None:
    """Say what a run committed before it was stopped; None where that is not known."""
    cause = result.cause
    if not isinstance(cause, RunCanceled) or not cause.total:
        return None
    return ngettext(
        "stopped. {committed:,} of {number:,} chunk of {partition} was committed and is kept, {pending:,} stays "
        "pending; run the same command again to continue.",
        "stopped. {committed:,} of {number:,} chunks of {partition} were committed and are kept, {pending:,} stay "
        "pending; run the same command again to continue.",
        cause.total,
        committed=cause.committed,
        pending=cause.total - cause.committed,
        partition=cause.partition,
    )


def _load_model(services: Services) -> None:
    with working(translate("loading the model")), log_printed("vector_assets.embedding.openvino.embedder"):
        services.vectorizer()
        with suppress(EmbedderBusy):  # the run waits for it, and says so
            services.load_embedder()


def _print_warnings(services: Services, results: Sequence[RunResult], partitions: int) -> None:
    if len(results) < partitions:
        untried = ngettext(
            "{number:,} partition was not tried. Run the command again to continue.",
            "{number:,} partitions were not tried. Run the command again to continue.",
            partitions - len(results),
        )
        click.echo(untried, err=True)
    for line in [*summed_token_warnings(results, services.settings.quality_limits), *check_lines(results)]:
        print_warning(line)


def summed_token_warnings(results: Sequence[RunResult], limits: QualityLimits) -> list[str]:
    """Warn of text that the model does not read, summed over the partitions whose runs warned of it."""
    counted = [(result, TokenCounts.of_report(result.report)) for result in results if result.report]
    warned = [(result, counts) for result, counts in counted if token_warnings(counts, limits)]
    if not warned:
        return []
    example = _example([result for result, _ in warned])
    return [
        translate("{warning} ({partitions})", warning=warning, partitions=example)
        for warning in token_warnings(TokenCounts.sum_of(counts for _, counts in warned), limits)
    ]


def check_lines(results: Sequence[RunResult]) -> list[str]:
    """Say what each failed check found, once a check, except what other lines say: of tokens, and of documents."""
    seen: dict[str, list[tuple[RunResult, FailedCheck]]] = {}
    for result in results:
        for check in result.failed_checks:
            if check.name not in _SHOWN_OTHERWISE:
                seen.setdefault(check.name, []).append((result, check))
    return [
        translate(
            "{outcome} ({partitions}): {description}",
            outcome=_outcome(found[0][1]),
            partitions=_example([result for result, _ in found]),
            description=found[0][1].words,
        )
        for found in seen.values()
    ]


def _example(results: Sequence[RunResult]) -> str:
    return ngettext(
        "{number:,} partition, {partition}",
        "{number:,} partitions, e.g. {partition}",
        len(results),
        partition=results[0].partition,
    )


def _outcome(check: FailedCheck) -> str:
    if check.is_error:
        return translate("check {check} failed", check=check.name)
    return translate("check {check} warns", check=check.name)


def _line(result: RunResult) -> str:
    if result.error is not None:
        return translate("failed  {partition}: {reason}", partition=result.partition, reason=result.error)
    items = [*_totals(result.report), *(_outcome(check) for check in result.failed_checks)]
    line = translate("ok  {partition}", partition=result.partition)
    return line + ("  " + " · ".join(items) if items else "")


# Every stage that the metadata entry `bottleneck` may name, for the catalog.
_STAGES = (marked("reading"), marked("embedding"), marked("committing"), marked("reporting"))


def _totals(report: VectorizeReport | None) -> list[str]:
    """List the totals of the vectors; empty where the run did not come so far."""
    if report is None:
        return []
    items = [readable_chunks(report.vectorized_count)]
    if report.batches:
        items += [readable_seconds(report.seconds), readable_speed(report.chunks_per_second)]
        items.append(translate("{speed:,.0f} tokens/s", speed=report.tokens_per_second))
        items.append(translate("bottleneck: {stage}", stage=translate(report.stages.bottleneck)))
    if report.superseded_count:
        items.append(translate("{count:,} superseded", count=report.superseded_count))
    items += shortcomings(report.failed_count, report.truncated_chunks, report.unknown_tokens, report.tokens_embedded)
    if (error := report.estimate_errors.get(50)) is not None:
        items.append(translate("time left at half was off by {error:+.0f}%", error=error))
    return items
