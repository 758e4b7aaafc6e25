"""Run partitions one after another in this process, with progress on the terminal."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..domain.partition_keys import PartitionKey
from ..domain.progress import readable_speed, shortcomings
from ..domain.reports import SightLimits
from ..domain.wording import readable_seconds
from ..errors import EmbedderHung
from ..estimates.backfill_plan import Plan
from ..estimates.backfill_time_left import Remaining
from ..services import Services
from ..translation import marked, ngettext, translate
from .progress_bars import PartitionsProgress
from .signals import stop_on_signals
from .terminal import log_printed, print_warning, working

if TYPE_CHECKING:
    import dagster as dg

    from ..defs.runtime.in_process import FailedCheck, RunResult

# Checks whose figures `sight_warnings` adds up.
_OF_SIGHT = {"vocabulary_covers_text", "nothing_truncated"}


def run_partitions(
    services: Services,
    partitions: Sequence[PartitionKey],
    assets: "Sequence[dg.AssetKey]",
    config: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
) -> "list[RunResult]":
    """Materialize the assets partition by partition; when a partition fails, the others are still run.

    With a plan of their chunks, the time left for all partitions is shown.

    When the embedder hangs, the remaining partitions have no result: each would wait as long, and fail as well.

    Raises:
        Interrupted: a signal asked to stop; the current batch was committed.
        ModelError: the model cannot be used for any partition; no run was started.
    """
    with working(translate("opening Dagster's storage")):
        from ..defs.asset_keys import VECTORIZED_CHUNKS
        from ..defs.runtime.in_process import recorded_runs
    if VECTORIZED_CHUNKS in assets:
        with working(translate("loading the model")), log_printed("vector_assets.embedding.openvino.embedder"):
            services.vectorizer()
            services.embedder.load()
    results = []
    remaining = Remaining(plan.chunks) if plan else None
    with (
        PartitionsProgress(len(partitions), remaining) as progress,
        stop_on_signals() as stop,
        recorded_runs(services, progress, stop.asked) as runs,
    ):
        runs.prepare(partitions)
        for partition in partitions:
            progress.begin(partition)
            began = time.monotonic()
            results.append(runs.run(partition, assets, config))
            stop.raise_if_asked()
            if remaining:
                remaining.finish(partition, results[-1].metadata, time.monotonic() - began)
            progress.end(_line(results[-1]))
            if results[-1].metadata.get("error") == EmbedderHung.__name__:
                break
    if len(results) < len(partitions):
        untried = ngettext(
            "{number:,} partition was not tried. Run the command again to continue.",
            "{number:,} partitions were not tried. Run the command again to continue.",
            len(partitions) - len(results),
        )
        click.echo(untried, err=True)
    for line in [*sight_warnings(results, services.sight_limits), *check_lines(results)]:
        print_warning(line)
    return results


def sight_warnings(results: "Sequence[RunResult]", limits: SightLimits) -> list[str]:
    """Sum up what the model could not read over the partitions whose runs warned of it."""
    warned = [result for result in results if "warnings" in result.metadata]
    if not warned:
        return []
    counted = ("tokens", "tokens_embedded", "unknown_tokens", "truncated_chunks", "vectorized", "failed", "superseded")
    sums = {name: sum(result.metadata[name] for result in warned) for name in counted}
    share = sums["unknown_tokens"] / max(sums["tokens_embedded"], 1)
    chunks = sums["vectorized"] + sums["failed"] + sums["superseded"]
    where = f"({_example(warned)})"
    found = limits.warnings(share, sums["truncated_chunks"], chunks, sums["tokens"], sums["tokens_embedded"])
    return [f"{line} {where}" for line in found]


def check_lines(results: "Sequence[RunResult]") -> list[str]:
    """Write one line per check that did not pass; `sight_warnings` has the checks of what the model could not read."""
    seen: dict[str, list[tuple[RunResult, FailedCheck]]] = {}
    for result in results:
        for check in result.failed_checks:
            if check.name not in _OF_SIGHT:
                seen.setdefault(check.name, []).append((result, check))
    return [
        f"{_outcome(found[0][1])} ({_example([result for result, _ in found])}): {found[0][1].words}"
        for found in seen.values()
    ]


def _example(results: "Sequence[RunResult]") -> str:
    return ngettext(
        "{number:,} partition, {partition}",
        "{number:,} partitions, e.g. {partition}",
        len(results),
        partition=results[0].partition,
    )


def _outcome(check: "FailedCheck") -> str:
    if check.is_error:
        return translate("check {check} failed", check=check.name)
    return translate("check {check} warns", check=check.name)


def _line(result: "RunResult") -> str:
    if result.error is not None:
        return translate("failed  {partition}: {reason}", partition=result.partition, reason=result.error)
    items = [*_totals(result.metadata), *(_outcome(check) for check in result.failed_checks)]
    line = translate("ok  {partition}", partition=result.partition)
    return line + ("  " + " · ".join(items) if items else "")


# Every stage that the metadata entry `bottleneck` may name, for the catalog.
_STAGES = (marked("reading"), marked("embedding"), marked("committing"), marked("reporting"))


def _totals(metadata: Mapping[str, Any]) -> list[str]:
    """List the totals of the vectors; empty where the run made none."""
    if not metadata:
        return []
    items = [ngettext("{number:,} chunk", "{number:,} chunks", metadata["vectorized"])]
    if metadata["batches"]:
        items += [readable_seconds(metadata["seconds"]), readable_speed(metadata["chunks_per_second"])]
        items.append(translate("{speed:,.0f} tokens/s", speed=metadata["tokens_per_second"]))
        items.append(translate("bottleneck: {stage}", stage=translate(metadata["bottleneck"])))
    if metadata["superseded"]:
        items.append(translate("{count:,} superseded", count=metadata["superseded"]))
    counts = (metadata[name] for name in ("failed", "truncated_chunks", "unknown_tokens", "tokens_embedded"))
    items += shortcomings(*counts)
    if (error := metadata.get("estimate_error_percent/at_50")) is not None:
        items.append(translate("time left at half was off by {error:+.0f}%", error=error))
    return items
