"""`vector-assets ingest`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..translation import ngettext, translate
from .options import DIRECTORY, examples

if TYPE_CHECKING:
    from ..domain.coverage import PartitionStatus

_EXAMPLES = examples("vector-assets ingest landing", "vector-assets ingest landing --allow-shrink")


@click.command(short_help="Read new filings and chunk them.", epilog=_EXAMPLES)
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.option("--allow-shrink", is_flag=True, help="Allow partitions to lose more than half of their chunks.")
@click.pass_context
def ingest(ctx: click.Context, directory: Path, allow_shrink: bool) -> None:
    """Read the new and changed documents under DIR and chunk them.

    The layout of DIR is market/doc_type/stock_code/<file>, with an optional manifest.csv at its top. A document that
    cannot be used is reported and skipped, and the exit code is 1. The exit code is also 1 when a partition would lose
    more than half of its chunks: nothing in it is deleted unless --allow-shrink is given.
    """
    from .open_services import open_services
    from .partition_runs import run_partitions
    from .terminal import print_skipped, working

    with open_services(directory) as services:
        with working(translate("looking for new documents")):
            changes = services.ingestion.changes()
        if changes.partitions:
            from ..defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS

            results = run_partitions(
                services, changes.partitions, [DOCUMENTS, DOCUMENT_CHUNKS], allow_shrink=allow_shrink
            )
        else:
            results = []
            click.echo(translate("Nothing new."))
        rejections = services.documents.rejections()
        statuses = services.status()
    print_skipped(rejections)
    _print_totals(statuses)
    if rejections or any(result.error for result in results):
        ctx.exit(1)


def _print_totals(statuses: "Sequence[PartitionStatus]") -> None:
    pending = sum(status.pending for status in statuses)
    totals = translate(
        "{chunks} in {partitions}, {pending:,} pending.",
        chunks=ngettext("{number:,} chunk", "{number:,} chunks", sum(status.chunks for status in statuses)),
        partitions=ngettext("{number:,} partition", "{number:,} partitions", len(statuses)),
        pending=pending,
    )
    click.echo(totals)
    if pending:
        click.echo(translate("Embed them with: vector-assets backfill"))
