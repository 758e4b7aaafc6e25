"""Runs of several partitions in this process, with their progress on the terminal."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..domain.partition_keys import PartitionKey
from ..domain.progress import shortcomings
from ..domain.run_results import FailedCheck, RunResult
from ..domain.wording import readable_seconds
from ..errors import EmbedderHung
from ..estimates.backfill_plan import Plan
from ..estimates.backfill_time_left import Remaining
from ..quality.limits import QualityLimits
from ..quality.token_warnings import TokenCounts, token_warnings
from ..services import Services
from .signals import stop_on_signals
from .terminal import PartitionsProgress, saying, working

if TYPE_CHECKING:
    import dagster as dg

# Checks whose figures `summed_token_warnings` adds up.
_OF_TOKENS = {"vocabulary_covers_text", "nothing_truncated"}


def run_partitions(
    services: Services,
    partitions: Sequence[PartitionKey],
    assets: "Sequence[dg.AssetKey]",
    config: Mapping[str, Any] | None = None,
    plan: Plan | None = None,
    allow_shrink: bool = False,
) -> list[RunResult]:
    """Materialize the assets partition by partition; a partition that fails does not keep the others from their turn.

    `config` is that of the step that vectorizes. With a plan of the chunks, the time left for all of them is shown.
    Where the embedder hangs, the partitions after that have no result: each would wait as long, and fail as well.

    Raises:
        Interrupted: a signal asked to stop; the batch at work was committed.
        ModelError: the model cannot be used for any of them; no run was begun.
    """
    with working("opening Dagster's storage"):
        from ..defs.asset_keys import VECTORIZED_CHUNKS
        from ..defs.runtime.in_process import recorded_runs
    if VECTORIZED_CHUNKS in assets:
        _load_model(services)
    results: list[RunResult] = []
    remaining = Remaining(plan.chunks) if plan else None
    with (
        PartitionsProgress(len(partitions), remaining) as progress,
        stop_on_signals(asked=services.retries.ended) as stop,
        recorded_runs(services, progress) as runs,
    ):
        runs.prepare(partitions)
        for partition in partitions:
            progress.begin(partition)
            began = time.monotonic()
            results.append(runs.run(partition, assets, config, allow_shrink))
            stop.raise_if_asked()
            if remaining:
                remaining.finish(partition, results[-1].metadata, time.monotonic() - began)
            progress.end(_line(results[-1]))
            if isinstance(results[-1].cause, EmbedderHung):
                break
    _print_warnings(services, results, len(partitions))
    return results


def _load_model(services: Services) -> None:
    with working("loading the model"), saying("vector_assets.embedding.openvino.embedder"):
        services.vectorizer()
        services.embedder.load()


def _print_warnings(services: Services, results: Sequence[RunResult], partitions: int) -> None:
    if len(results) < partitions:
        click.echo(f"{partitions - len(results):,} partitions were not tried. Run again to go on.", err=True)
    for line in [*summed_token_warnings(results, services.settings.quality_limits), *check_lines(results)]:
        click.echo(f"warning: {line}", err=True)


def summed_token_warnings(results: Sequence[RunResult], limits: QualityLimits) -> list[str]:
    """Warn of text that the model does not read, summed over the partitions whose runs warned of it."""
    warned = [result for result in results if "warnings" in result.metadata]
    if not warned:
        return []
    counted = ("tokens", "tokens_embedded", "unknown_tokens", "truncated_chunks", "vectorized", "failed", "superseded")
    sums = {name: sum(result.metadata[name] for result in warned) for name in counted}
    counts = TokenCounts(
        chunks=sums["vectorized"] + sums["failed"] + sums["superseded"],
        truncated_chunks=sums["truncated_chunks"],
        tokens=sums["tokens"],
        tokens_embedded=sums["tokens_embedded"],
        unknown_tokens=sums["unknown_tokens"],
    )
    where = f"({len(warned)} partitions, e.g. {warned[0].partition})"
    return [f"{line} {where}" for line in token_warnings(counts, limits)]


def check_lines(results: Sequence[RunResult]) -> list[str]:
    """Say what each failed check found, once a check. `summed_token_warnings` covers what the model could not see."""
    seen: dict[str, list[tuple[RunResult, FailedCheck]]] = {}
    for result in results:
        for check in result.failed_checks:
            if check.name not in _OF_TOKENS:
                seen.setdefault(check.name, []).append((result, check))
    return [
        f"{name} {_verb(found[0][1])} ({len(found)} partitions, e.g. {found[0][0].partition}): {found[0][1].words}"
        for name, found in seen.items()
    ]


def _verb(check: FailedCheck) -> str:
    return "failed" if check.is_error else "warns"


def _line(result: RunResult) -> str:
    if result.error is not None:
        return f"failed  {result.partition}: {result.error}"
    parts = [*_totals(result.metadata), *(f"{check.name} {_verb(check)}" for check in result.failed_checks)]
    return f"ok  {result.partition}" + ("  " + " · ".join(parts) if parts else "")


def _totals(metadata: Mapping[str, Any]) -> list[str]:
    """Sum up the vectors; nothing where no asset of vectors was materialized."""
    if not metadata:
        return []
    parts = [f"{metadata['vectorized']:,} chunks"]
    if metadata["batches"]:
        speed = f"{metadata['chunks_per_second']:,.0f} chunks/s, {metadata['tokens_per_second']:,.0f} tokens/s"
        parts += [readable_seconds(metadata["seconds"]), f"{speed}, bound by {metadata['bottleneck']}"]
    if metadata["superseded"]:
        parts.append(f"{metadata['superseded']:,} superseded")
    parts += shortcomings(
        metadata["failed"], metadata["truncated_chunks"], metadata["unknown_tokens"], metadata["tokens_embedded"]
    )
    if (off := metadata.get("estimate_error_percent/at_50")) is not None:
        parts.append(f"time left was {off:+.0f}% off at half")
    return parts
