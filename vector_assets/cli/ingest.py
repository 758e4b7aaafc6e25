"""`vector-assets ingest`."""

from pathlib import Path

import click

from .options import DIRECTORY


@click.command(short_help="Read new filings and cut them into chunks.")
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.option("--allow-shrink", is_flag=True, help="Let partitions lose more than half of their chunks.")
@click.pass_context
def ingest(ctx: click.Context, directory: Path, allow_shrink: bool) -> None:
    """Read what is new under DIR and cut it into chunks.

    DIR is laid out as market/doc_type/stock_code/<file>, with an optional manifest.csv on top. A document that cannot
    be used is reported and skipped; the exit code is then 1. So it is when a partition would lose more than half of
    its chunks: nothing of it is deleted until --allow-shrink says that this is meant.
    """
    from .open_services import open_services
    from .partition_runs import run_partitions
    from .terminal import print_skipped, working

    with open_services(directory) as services:
        with working("looking for new documents"):
            changes = services.ingestion.changes()
        if changes.partitions:
            from ..defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS

            results = run_partitions(
                services, changes.partitions, [DOCUMENTS, DOCUMENT_CHUNKS], allow_shrink=allow_shrink
            )
        else:
            results = []
            click.echo("Nothing new.")
        rejections = services.documents.rejections()
        statuses = services.status()
    print_skipped(rejections)
    pending = sum(status.pending for status in statuses)
    click.echo(
        f"{sum(status.chunks for status in statuses):,} chunks in {len(statuses):,} partitions, {pending:,} pending."
    )
    if pending:
        click.echo("Make their vectors with: vector-assets backfill")
    if rejections or any(result.error for result in results):
        ctx.exit(1)
