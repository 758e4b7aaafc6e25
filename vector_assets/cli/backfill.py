"""`vector-assets backfill`."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_seconds
from ..estimates.backfill_plan import BackfillPlan, plan_backfill
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from ..domain.coverage import PartitionStatus
    from ..services import Services


@click.command(short_help="Embed what is pending.")
@partition_options
@click.option("--pending", "what", flag_value="pending", default="pending", help="Pending chunks. The default.")
@click.option(
    "--failed", "what", flag_value="failed", help="Partitions that failed last, and quarantined chunks once more."
)
@click.option("--force", "what", flag_value="force", help="Embed current and quarantined chunks too.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Chunks in a batch. Default: EMBEDDING_BATCH_SIZE.")
@click.option(
    "--accept-drift",
    is_flag=True,
    help="If the model no longer makes the vectors that are stored, embed all chunks anew, into a space of their own.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and how long it may take. Nothing is changed.")
@click.option("--launch", is_flag=True, help="Let the Dagster that is running do it, and follow it.")
@click.pass_context
def backfill(
    ctx: click.Context,
    selection: Selection,
    what: str,
    batch_size: int | None,
    accept_drift: bool,
    dry_run: bool,
    launch: bool,
) -> None:
    """Embed the pending chunks of all partitions, or of some.

    PATTERN is a partition with *, e.g. us/*/* for a market or */*/AAPL for a company. Patterns, --market, --company and
    --doc-type narrow one another.

    It runs here, one Dagster run a partition; stopped with Ctrl-C, it keeps the batches that were committed, and run
    again it goes on. With --launch, vector-assets dev (or any Dagster on the same storage) does it, in runs of
    neighbouring partitions, and goes on when this command is stopped.
    """
    from .open_services import open_services
    from .selection import selected

    started = time.monotonic()
    with open_services() as services:
        if accept_drift and dry_run and services.has_drifted():
            click.echo(
                f"The vectors of {services.space.model} have changed; all chunks would be pending in a new space."
            )
            what = "force"  # which is as much work
        elif accept_drift and not dry_run and services.accept_drift():
            click.echo(
                f"The vectors of {services.space.model} have changed; all chunks are pending in {services.space.slug}."
            )
        every = services.status()
        statuses = selected(every, selection)
        chunks = _chunks_to_embed(services, statuses, what)
        if not chunks:
            click.echo(f"Nothing to do: none of {len(statuses):,} partitions has {_KINDS[what]}.")
            return
        plan = plan_backfill(chunks, every)
        click.echo(plan.line(), err=not dry_run)
        if dry_run:
            _print_plan(plan)
            return
        if what == "failed":
            _free_quarantined(services, list(chunks))
        config = {"force_revectorize": what == "force", **({"batch_size": batch_size} if batch_size else {})}
        if launch:
            from .launched_backfill import launch_and_follow

            done = launch_and_follow(services, list(chunks), config, f"vector-assets backfill{selection.as_typed()}")
        else:
            done = _run_here(services, plan, config, started)
    if not done:
        ctx.exit(1)


_KINDS = {
    "pending": "pending chunks",
    "failed": "failed, and no chunk of theirs is quarantined",
    "force": "chunks",
}


def _chunks_to_embed(
    services: "Services", statuses: "Sequence[PartitionStatus]", what: str
) -> Mapping[PartitionKey, int]:
    """Per partition, by key, how many chunks a run would embed; partitions without a turn are left out."""
    if what == "force":
        return {status.partition: status.chunks for status in statuses}
    # In the configured model's space, which need not be the active one yet.
    pending = {item.partition: item.pending for item in services.pending_partitions()}
    if what == "pending":
        return {status.partition: pending[status.partition] for status in statuses if status.partition in pending}
    failed = _failed_partitions(services)
    return {
        status.partition: pending.get(status.partition, 0) + status.quarantined
        for status in statuses
        if status.quarantined or str(status.partition) in failed
    }


def _failed_partitions(services: "Services") -> set[str]:
    from .terminal import working

    with working("opening Dagster's storage"):
        from ..defs.partitions import failed_partitions
        from ..defs.runtime.instance import open_instance
    with open_instance(services) as instance:
        return failed_partitions(instance)


def _free_quarantined(services: "Services", partitions: list[PartitionKey]) -> None:
    from .retry_failed import free

    space = services.spaces.active()
    if space:
        free(services, space, partitions)


def _print_plan(plan: BackfillPlan) -> None:
    for partition, chunks in plan.chunks.items():
        click.echo(f"  {partition}  {chunks:,} chunks")


def _run_here(services: "Services", plan: BackfillPlan, config: Mapping[str, Any], started: float) -> bool:
    """Whether all of it went well."""
    from ..defs.asset_keys import VECTORIZED_CHUNKS
    from .partition_runs import run_partitions

    results = run_partitions(services, list(plan.chunks), [VECTORIZED_CHUNKS], config, plan)
    vectorized = sum(result.metadata.get("vectorized", 0) for result in results)
    quarantined = sum(result.metadata.get("failed", 0) for result in results)
    failed = sum(result.error is not None for result in results)
    click.echo(
        f"{vectorized:,} chunks vectorized, {quarantined:,} quarantined, in {len(results):,} partitions "
        f"({failed} failed), {readable_seconds(time.monotonic() - started)}."
    )
    return not failed and not quarantined and len(results) == len(plan.chunks)
