"""`vector-assets ingest`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..translation import ngettext, translate
from .options import DIRECTORY, examples

if TYPE_CHECKING:
    from ..domain.coverage import PartitionStatus
    from ..domain.partition_keys import PartitionKey
    from ..services import Services

_EXAMPLES = examples("vector-assets ingest landing", "vector-assets ingest landing --reread")


@click.command(epilog=_EXAMPLES)
@click.argument("directory", metavar="DIR", type=DIRECTORY)
@click.option("--reread", is_flag=True, help="Read all documents again, also those whose files have not changed.")
@click.option("--allow-shrink", is_flag=True, help="Allow partitions to lose more than half of their chunks.")
@click.pass_context
def ingest(ctx: click.Context, directory: Path, reread: bool, allow_shrink: bool) -> None:
    """Read the new and changed documents under DIR and chunk them.

    The layout of DIR is market/doc_type/stock_code/<file>, with an optional manifest.csv at its top. A document that
    cannot be used is reported and skipped, and the exit code is 1. The exit code is also 1 when a partition would lose
    more than half of its chunks: nothing in it is deleted unless --allow-shrink is given.
    """
    from .open_services import open_services
    from .partition_runs import run_partitions
    from .terminal import print_skipped, print_warning, working

    with open_services(directory, creates=True) as services:
        with working(translate("looking for new documents")):
            changes = services.ingestion.changes(reread)
        if changes.partitions:
            from ..defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS

            results = run_partitions(
                services, changes.partitions, [DOCUMENTS, DOCUMENT_CHUNKS], allow_shrink=allow_shrink
            )
        else:
            results = []
            click.echo(translate("Nothing new."))
        rejections, manifest_rows = services.documents.rejections(), services.landing.manifest_rows
        in_part = _read_in_part(services, changes.partitions)
        statuses = services.status()
    print_skipped(rejections, manifest_rows)
    for name, warning in in_part.items():
        print_warning(f"{name}: {warning}")
    _print_totals(statuses)
    if rejections or any(result.error for result in results):
        ctx.exit(1)


def _read_in_part(services: "Services", partitions: "Sequence[PartitionKey]") -> dict[str, str]:
    """Return by path what could not be read of the documents of these partitions."""
    known = {name: item for partition in partitions for name, item in services.documents.known(partition).items()}
    return {name: item.warning for name, item in known.items() if item.warning}


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
