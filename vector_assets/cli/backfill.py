"""`vector-assets backfill`."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_seconds
from ..estimates.backfill_plan import BackfillPlan
from ..translation import ngettext, translate
from .budget_options import budget_options
from .options import examples
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from ..domain.coverage import PartitionStatus
    from ..services import Services

_EXAMPLES = examples(
    "vector-assets backfill                        every pending chunk",
    "vector-assets backfill us/ --dry-run          what a market would take",
    "vector-assets backfill --company AAPL --force",
    "vector-assets backfill --launch               by the Dagster that is running",
)


@click.command(epilog=_EXAMPLES)
@partition_options
@click.option("--pending", "what", flag_value="pending", default="pending", help="Embed pending chunks. The default.")
@click.option(
    "--failed", "what", flag_value="failed", help="Embed the partitions whose last run failed, and failed chunks."
)
@click.option("--force", "what", flag_value="force", help="Embed current and quarantined chunks too.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Chunks per batch. Default: EMBEDDING_BATCH_SIZE.")
@budget_options
@click.option("--dry-run", is_flag=True, help="Print what would be done and how long it may take. Nothing changes.")
@click.option("--launch", is_flag=True, help="Launch the backfill in the Dagster that is running, and follow it.")
@click.pass_context
def backfill(
    ctx: click.Context,
    selection: Selection,
    what: str,
    batch_size: int | None,
    budget: Mapping[str, Any],
    dry_run: bool,
    launch: bool,
) -> None:
    """Embed the pending chunks of all partitions, or of the selected ones.

    PATTERN is a partition key or a part of one, in any letter case, with * for any letters: us/ is a market, AAPL a
    company, us/annual_report/ a document type of a market.
    Partitions must match any of the patterns, and --market, --company and --doc-type where these are given.

    The work is done by this process, in one Dagster run per partition. Ctrl-C keeps the batches that are committed;
    run the command again to continue. With --launch, vector-assets dev (or any Dagster on the same storage) does the
    work, in runs over neighbouring partitions, and continues when this command is stopped.

    With --max-tokens, --max-cost or --deadline, the work ends at the end of a batch, and the rest stays pending.
    """
    from .open_services import open_services
    from .terminal import err, out, print_prose

    started = time.monotonic()
    with open_services() as services:
        plan = _plan(services, selection, what)
        if plan is None:
            return
        print_prose(plan.line(), out if dry_run else err)
        if dry_run:
            _print_partitions(plan)
            return
        if what == "failed":
            _requeue_failed(services, list(plan.chunks))
        sizes = {"batch_size": batch_size} if batch_size else {}
        config = {"force_revectorize": what == "force", **sizes, **budget}
        run = partial(_launch, selection) if launch else partial(_run_in_process, started)
        if not run(services, plan, config):
            ctx.exit(1)


def _plan(services: "Services", selection: Selection, what: str) -> BackfillPlan | None:
    """Plan the selected partitions; None, with a line that says so, where there is nothing to embed."""
    from .selection import selected
    from .terminal import working

    statuses = services.status(services.space)
    chosen = selected(statuses, selection)
    chunks = _chunks_to_embed(services, chosen, what)
    if chunks:
        with working(translate("trying how long the chunks take")):
            return services.plan(chunks, statuses)
    click.echo(_nothing_to_do(len(chosen), what))
    _print_later_attempts(services, chosen)
    return None


def _nothing_to_do(partitions: int, what: str) -> str:
    if what == "failed":
        return ngettext(
            "Nothing to do: no last run failed and no chunk has failed in {number:,} partition.",
            "Nothing to do: no last run failed and no chunk has failed in {number:,} partitions.",
            partitions,
        )
    if what == "pending":
        return ngettext(
            "Nothing to do: no pending chunk is due in {number:,} partition.",
            "Nothing to do: no pending chunk is due in {number:,} partitions.",
            partitions,
        )
    return translate("Nothing to do: there are no chunks.")


def _chunks_to_embed(
    services: "Services", statuses: "Sequence[PartitionStatus]", what: str
) -> Mapping[PartitionKey, int]:
    """Count the chunks that a run would embed, per partition in the order of the keys; partitions with none are out."""
    if what == "force":
        return {status.partition: status.chunks for status in statuses}
    # Pending and quarantined in the space of this process, which need not be the serving one.
    pending = {item.partition: item.pending for item in services.pending_partitions()}
    if what == "pending":
        return {status.partition: pending[status.partition] for status in statuses if status.partition in pending}
    failed = _failed_partitions(services)
    keys = [status.partition for status in statuses]
    with_failures = {chunk.partition for chunk in services.quarantine.chunks(services.space.slug, keys)}
    found = services.coverage.status(services.space.slug)
    lacking = {item.partition: item.pending + item.quarantined for item in found}
    return {key: lacking.get(key, 0) for key in keys if key in with_failures or str(key) in failed}


def _print_later_attempts(services: "Services", statuses: "Sequence[PartitionStatus]") -> None:
    """Say which chunks failed and are not due yet, or not at all."""
    counts = services.quarantine.counts(services.space.slug, [status.partition for status in statuses])
    if counts.pending or counts.quarantined:
        line = translate(
            "{pending:,} failed and pending, with another attempt later; {quarantined:,} quarantined. To retry them "
            "now: vector-assets retry-failed",
            pending=counts.pending,
            quarantined=counts.quarantined,
        )
        click.echo(line)


def _failed_partitions(services: "Services") -> set[str]:
    from .terminal import working

    with working(translate("opening Dagster's storage")):
        from ..defs.runtime.failed_partitions import failed_partitions
        from ..defs.runtime.instance import open_instance
        from ..defs.vectorize_step import vectors_asset
    with open_instance(services) as instance:
        return failed_partitions(instance, vectors_asset(services))


def _print_partitions(plan: BackfillPlan) -> None:
    for partition, chunks in plan.chunks.items():
        click.echo(f"  {partition}  " + ngettext("{number:,} chunk", "{number:,} chunks", chunks))


def _requeue_failed(services: "Services", partitions: list[PartitionKey]) -> None:
    from .retry_failed import requeue_failed

    requeue_failed(services, partitions)


def _launch(selection: Selection, services: "Services", plan: BackfillPlan, config: Mapping[str, Any]) -> bool:
    """Let the running Dagster embed the planned partitions; return whether all of them are done."""
    from .launched_backfill import launch_and_follow

    title = f"vector-assets backfill{selection.as_typed()}"
    return launch_and_follow(services, plan, config, title)


def _run_in_process(started: float, services: "Services", plan: BackfillPlan, config: Mapping[str, Any]) -> bool:
    """Embed the planned partitions in this process; return whether all of them are done and no chunk failed."""
    from ..defs.vectorize_step import vectors_asset
    from .partition_runs import run_partitions
    from .terminal import print_prose

    results = run_partitions(services, list(plan.chunks), [vectors_asset(services)], config, plan)
    vectorized = sum(result.report.vectorized_count for result in results if result.report)
    failed_chunks = sum(result.report.failed_count for result in results if result.report)
    failed = sum(result.error is not None for result in results)
    summary = translate(
        "{chunks}, {failed_chunks:,} failed, in {partitions} ({failed:,} failed), {duration}.",
        chunks=ngettext("{number:,} chunk vectorized", "{number:,} chunks vectorized", vectorized),
        failed_chunks=failed_chunks,
        partitions=ngettext("{number:,} partition", "{number:,} partitions", len(results)),
        failed=failed,
        duration=readable_seconds(time.monotonic() - started),
    )
    print_prose(summary)
    stopped = next((result.report.stopped for result in results if result.report and result.report.stopped), None)
    if stopped:
        click.echo(translate("Stopped: {reason}. The other chunks stay pending.", reason=stopped))
    return not failed and not failed_chunks and (bool(stopped) or len(results) == len(plan.chunks))
