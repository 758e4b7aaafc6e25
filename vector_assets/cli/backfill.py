"""`vector-assets backfill`."""

import time

import click

from ..domain import readable_seconds


@click.command(short_help="Embed what is pending.")
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@click.option("--force", is_flag=True, help="Embed current and quarantined chunks too.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Chunks in a batch. Default: EMBEDDING_BATCH_SIZE.")
@click.pass_context
def backfill(ctx: click.Context, patterns: tuple[str, ...], force: bool, batch_size: int | None) -> None:
    """Embed the pending chunks of all partitions, or of those that fit a PATTERN.

    PATTERN is a partition with *, e.g. us/*/* for a market or */*/AAPL for a company. Runs here, one Dagster run a
    partition. Stopped with Ctrl-C, it keeps the batches that were committed; run it again to go on.
    """
    from .parts import open_parts
    from .runs import run_partitions
    from .selection import matching

    started = time.monotonic()
    with open_parts() as parts:
        statuses = matching(parts.status(), patterns)
        pending = {item.partition for item in parts.pending_partitions()}
        chosen = [status.partition for status in statuses if force or status.partition in pending]
        if not chosen:
            click.echo(f"Nothing to do: none of {len(statuses):,} partitions has pending chunks.")
            return
        from ..defs.keys import VECTORIZED_CHUNKS

        config = {"force_revectorize": force, **({"batch_size": batch_size} if batch_size else {})}
        results = run_partitions(parts, chosen, [VECTORIZED_CHUNKS], config)
    vectorized = sum(result.metadata.get("vectorized", 0) for result in results)
    quarantined = sum(result.metadata.get("failed", 0) for result in results)
    failed = [result for result in results if result.error]
    click.echo(
        f"{vectorized:,} chunks vectorized, {quarantined:,} quarantined, in {len(results):,} partitions "
        f"({len(failed)} failed), {readable_seconds(time.monotonic() - started)}."
    )
    if failed or quarantined:
        ctx.exit(1)
