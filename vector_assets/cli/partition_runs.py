"""Runs of several partitions in this process, drawn on the terminal."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..domain.partition_keys import PartitionKey
from ..domain.progress import shortcomings
from ..domain.reports import SightLimits
from ..domain.wording import readable_seconds
from ..errors import EmbedderHung
from ..estimates.backfill_plan import BackfillPlan
from ..estimates.backfill_time_left import BackfillTimeLeft
from ..services import Services
from .signals import stop_on_signals
from .terminal import PartitionsProgress, saying, working

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
    plan: BackfillPlan | None = None,
) -> "list[RunResult]":
    """Materialize the assets partition by partition; a partition that fails does not keep the others from their turn.

    With a plan of their chunks, the time left for all of them is told.

    Where the embedder hangs, the partitions after that have no result: each would wait as long, and fail as well.

    Raises:
        Interrupted: a signal asked to stop; the batch at work was committed.
        ModelError: the model cannot be used for any of them; no run was begun.
    """
    with working("opening Dagster's storage"):
        from ..defs.asset_keys import VECTORIZED_CHUNKS
        from ..defs.runtime.in_process import recorded_runs
    if VECTORIZED_CHUNKS in assets:
        with working("loading the model"), saying("vector_assets.embedding.openvino.embedder"):
            services.vectorizer()
            services.embedder.load()
    results = []
    remaining = BackfillTimeLeft(plan.chunks) if plan else None
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
        click.echo(f"{len(partitions) - len(results):,} partitions were not tried. Run again to go on.", err=True)
    for line in [*sight_warnings(results, services.sight_limits), *check_lines(results)]:
        click.echo(f"warning: {line}", err=True)
    return results


def sight_warnings(results: "Sequence[RunResult]", limits: SightLimits) -> list[str]:
    """What the model could not see, over the partitions of which its run warned."""
    warned = [result for result in results if "warnings" in result.metadata]
    if not warned:
        return []
    counted = ("tokens", "tokens_embedded", "unknown_tokens", "truncated_chunks", "vectorized", "failed", "superseded")
    sums = {name: sum(result.metadata[name] for result in warned) for name in counted}
    share = sums["unknown_tokens"] / max(sums["tokens_embedded"], 1)
    chunks = sums["vectorized"] + sums["failed"] + sums["superseded"]
    where = f"({len(warned)} partitions, e.g. {warned[0].partition})"
    found = limits.warnings(share, sums["truncated_chunks"], chunks, sums["tokens"], sums["tokens_embedded"])
    return [f"{line} {where}" for line in found]


def check_lines(results: "Sequence[RunResult]") -> list[str]:
    """What a check saw where it did not pass, once a check. What the model could not see is said of all together."""
    seen: dict[str, list[tuple[RunResult, FailedCheck]]] = {}
    for result in results:
        for check in result.failed_checks:
            if check.name not in _OF_SIGHT:
                seen.setdefault(check.name, []).append((result, check))
    return [
        f"{name} {_verb(found[0][1])} ({len(found)} partitions, e.g. {found[0][0].partition}): {found[0][1].words}"
        for name, found in seen.items()
    ]


def _verb(check: "FailedCheck") -> str:
    return "failed" if check.is_error else "warns"


def _line(result: "RunResult") -> str:
    if result.error is not None:
        return f"failed  {result.partition}: {result.error}"
    parts = [*_totals(result.metadata), *(f"{check.name} {_verb(check)}" for check in result.failed_checks)]
    return f"ok  {result.partition}" + ("  " + " · ".join(parts) if parts else "")


def _totals(told: Mapping[str, Any]) -> list[str]:
    """Of the vectors; none, where none were asked for."""
    if not told:
        return []
    parts = [f"{told['vectorized']:,} chunks"]
    if told["batches"]:
        speed = f"{told['chunks_per_second']:,.0f} chunks/s, {told['tokens_per_second']:,.0f} tokens/s"
        parts += [readable_seconds(told["seconds"]), f"{speed}, bound by {told['bottleneck']}"]
    if told["superseded"]:
        parts.append(f"{told['superseded']:,} superseded")
    parts += shortcomings(told["failed"], told["truncated_chunks"], told["unknown_tokens"], told["tokens_embedded"])
    if (off := told.get("estimate_error_percent/at_50")) is not None:
        parts.append(f"time left was {off:+.0f}% off at half")
    return parts
