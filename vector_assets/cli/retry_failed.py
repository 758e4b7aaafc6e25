"""`vector-assets retry-failed`."""

import time
from typing import TYPE_CHECKING

import click

from ..domain.partition_keys import PartitionKey
from ..domain.quarantine import RetryOutcome
from ..domain.wording import readable_seconds
from ..errors import FailuresOfOtherSpace
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from ..domain.spaces import EmbeddingSpace
    from ..services import Services

# What was chosen because it failed says nothing of the partition when it fails once more: one that is 99.9 % current
# would be marked as failed for the sake of a try. The summary and the exit code say what came of it.
_CONFIG = {"max_failed_fraction": 1.0}


@click.command("retry-failed", short_help="Try the chunks that failed once more.")
@partition_options
@click.pass_context
def retry_failed(ctx: click.Context, selection: Selection) -> None:
    """Try the quarantined chunks of all partitions, or of those that fit a PATTERN, once more.

    PATTERN is a partition with *, e.g. us/*/* for a market or */*/AAPL for a company. vector-assets failures lists the
    chunks and why they failed: mend that first.

    The chunks become pending again, and their partitions are run here, one Dagster run each, together with whatever
    else is pending there. A chunk that fails once more is quarantined again, its attempts counted on. Stopped with
    Ctrl-C, the command keeps what was committed; run it again to go on. The exit code is 1 if any chunk failed.
    """
    from .open_services import open_services
    from .partition_runs import run_partitions
    from .selection import selected

    started = time.monotonic()
    with open_services() as services:
        partitions = [status.partition for status in selected(services.status(), selection)]
        if not partitions:
            click.echo("No chunks yet. Put filings into the database with: vector-assets ingest DIR")
            return
        space = services.spaces.active()
        freed = free(services, space, partitions) if space else {}
        if not space or not freed:
            click.echo(f"Nothing to do: no chunk is quarantined in {len(partitions):,} partitions.")
            return
        from ..defs.asset_keys import VECTORIZED_CHUNKS

        results = run_partitions(services, sorted(set(freed.values())), [VECTORIZED_CHUNKS], _CONFIG)
        outcome = services.quarantine.outcome(space.slug, list(freed))
    failed = [result for result in results if result.error]
    click.echo(
        f"{_summary(len(freed), outcome)}, in {len(results):,} partitions ({len(failed)} failed), "
        f"{readable_seconds(time.monotonic() - started)}."
    )
    if failed or outcome.quarantined or any(result.metadata.get("failed") for result in results):
        ctx.exit(1)


def free(services: "Services", space: "EmbeddingSpace", partitions: list[PartitionKey]) -> dict[int, PartitionKey]:
    """Free the chunks, having seen that they would be embedded into the space they failed in.

    Raises:
        FailuresOfOtherSpace: the configured model has another one, in which every chunk would be pending.
    """
    configured = services.space
    if configured.slug == space.slug:
        return services.quarantine.release(space.slug, partitions)
    if services.quarantine.chunks(space.slug, partitions, limit=1):
        raise FailuresOfOtherSpace(space.model, space.slug, configured.model)
    return {}


def _summary(freed: int, outcome: RetryOutcome) -> str:
    parts = [
        f"{freed:,} chunks freed",
        f"{outcome.vectorized:,} now vectorized",
        f"{outcome.quarantined:,} quarantined again",
    ]
    if outcome.pending:
        parts.append(f"{outcome.pending:,} still pending")
    return ", ".join(parts)
