"""`vector-assets retry-failed`."""

import time
from typing import TYPE_CHECKING
from uuid import UUID

import click

from ..domain.partition_keys import PartitionKey
from ..domain.quarantine import RetryOutcome
from ..domain.spaces import SpaceStatus
from ..domain.wording import readable_seconds
from ..errors import SpaceRetired
from ..translation import ngettext, translate
from .chosen_space import chosen_space, space_option
from .options import examples
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from ..domain.run_results import RunResult
    from ..services import Services

# Chunks that are retried failed before. That they fail again says nothing about their partition: one that is 99.9 %
# current would be marked as failed because of a retry. The summary and the exit code report the outcome instead.
_CONFIG = {"max_failed_fraction": 1.0}

_EXAMPLES = examples("vector-assets retry-failed", "vector-assets retry-failed us/ --doc-type annual_report")


@click.command("retry-failed", epilog=_EXAMPLES)
@partition_options
@space_option
@click.pass_context
def retry_failed(ctx: click.Context, selection: Selection, space: str | None) -> None:
    """Retry the chunks that failed, quarantined or not, of all partitions or of the selected ones.

    PATTERN is a partition key or a part of one, in any letter case, with * for any letters: us/ is a market, AAPL a
    company, us/annual_report/ a document type of a market.
    vector-assets failures lists the chunks and why they failed: fix the cause first.

    The chunks are due at once, and one Dagster run per partition embeds them in this process, together with the other
    pending chunks of the partition. A chunk that fails again is quarantined, with one attempt more. Ctrl-C keeps what
    is committed; run the command again to continue. The exit code is 1 if any chunk failed.
    """
    from .open_services import open_services
    from .partition_runs import run_partitions
    from .selection import selected
    from .terminal import print_no_chunks

    started = time.monotonic()
    with open_services() as opened:
        services = _in_space(opened, space)
        partitions = [status.partition for status in selected(services.status(), selection)]
        if not partitions:
            print_no_chunks()
            return
        requeued = requeue_failed(services, partitions)
        if not requeued:
            click.echo(nothing_failed(len(partitions)))
            return
        from ..defs.vectorize_step import vectors_asset

        results = run_partitions(services, sorted(set(requeued.values())), [vectors_asset(services)], _CONFIG)
        outcome = services.quarantine.outcome(services.space.slug, list(requeued))
    click.echo(_summary(len(requeued), outcome, results, time.monotonic() - started))
    if outcome.quarantined or any(result.error or (result.report and result.report.failed_count) for result in results):
        ctx.exit(1)


def _in_space(services: "Services", slug: str | None) -> "Services":
    """Give services that work in the space that is named; where none is, in that of this process.

    Raises:
        SpaceNotFound: there is none of that name.
        SpaceRetired: it has no queue.
    """
    chosen = chosen_space(services, slug) if slug else None
    if chosen is None:
        return services
    if chosen.status is SpaceStatus.RETIRED:
        raise SpaceRetired(chosen.space.slug, chosen.space.source)
    return services.in_space(chosen.space)


def requeue_failed(services: "Services", partitions: list[PartitionKey]) -> dict[UUID, PartitionKey]:
    """Make the failed chunks of the partitions due; return their partitions by the chunks' ids.

    Raises:
        SpaceNotLive: the space of this process is not kept up to date.
    """
    services.require_live()
    return services.quarantine.release(services.space.slug, partitions)


def nothing_failed(partitions: int) -> str:
    """Say that no chunk of the partitions has failed."""
    return ngettext(
        "No chunk has failed in {number:,} partition.",
        "No chunk has failed in {number:,} partitions.",
        partitions,
    )


def _summary(requeued: int, outcome: RetryOutcome, results: "list[RunResult]", seconds: float) -> str:
    items = [
        ngettext("{number:,} chunk retried", "{number:,} chunks retried", requeued),
        translate("{count:,} now vectorized", count=outcome.vectorized),
        translate("{count:,} quarantined", count=outcome.quarantined),
    ]
    if outcome.pending:
        items.append(translate("{count:,} still pending", count=outcome.pending))
    return translate(
        "{outcomes}, in {partitions} ({failed:,} failed), {duration}.",
        outcomes=translate(", ").join(items),
        partitions=ngettext("{number:,} partition", "{number:,} partitions", len(results)),
        failed=sum(result.error is not None for result in results),
        duration=readable_seconds(seconds),
    )
