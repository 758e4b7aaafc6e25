"""`vector-assets remove`."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ..errors import LandingDirectoryMissing
from ..translation import ngettext, translate
from .options import examples
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from ..domain.partition_keys import PartitionKey
    from ..services import Services
    from ..storage.document_removal import RemovableDocument

_EXAMPLES = examples(
    "vector-assets remove us/quarterly_report/AAPL",
    "vector-assets remove --company AAPL --yes",
    "vector-assets remove us/annual_report/AAPL --document '2019*'",
)


@click.command(epilog=_EXAMPLES)
@partition_options
@click.option("--document", default="*", metavar="NAME", help="Only documents of this file name; * is for any letters.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(selection: Selection, document: str, yes: bool) -> None:
    """Remove the documents of the selected partitions, with their chunks and their vectors in every space.

    A partition that has no document left is removed from Dagster too. Prints first what there is to remove, and asks.
    Files stay in the landing directory, and an ingestion would read them again.

    PATTERN is a partition key or a part of one, in any letter case, with * for any letters: us/ is a market, AAPL a
    company, us/annual_report/ a document type of a market.
    """
    from .open_services import open_services

    if selection == Selection():
        raise click.UsageError(translate("Name what to remove, e.g. us/quarterly_report/AAPL, or */ for everything."))
    with open_services() as services:
        from ..defs.partitions import registered, unregister
        from ..defs.runtime.instance import open_instance

        with open_instance(services) as instance:
            partitions = selection.of(sorted({*services.removal.partitions(), *registered(instance)}))
            documents = services.removal.documents(partitions, document)
            if document != "*":  # partitions without such a document are left alone
                partitions = sorted({item.partition for item in documents})
            if not partitions:
                click.echo(translate("No document matches {name}.", name=document))
                return
            _print_plan(services, documents, partitions)
            if not yes:
                click.confirm(translate("Go on?"), abort=True)
            for _, items in groupby(documents, key=lambda item: item.partition):
                services.removal.remove(list(items))
            remaining = set(services.removal.partitions())
            emptied = [key for key in partitions if key not in remaining]
            unregister(instance, emptied)
    removed = translate(
        "Removed {counts}. Partitions that are gone: {partitions:,}.",
        counts=_counts(documents),
        partitions=len(emptied),
    )
    click.echo(removed)


def _counts(documents: "Sequence[RemovableDocument]") -> str:
    return translate(
        "{documents} with {chunks}",
        documents=ngettext("{number:,} document", "{number:,} documents", len(documents)),
        chunks=ngettext("{number:,} chunk", "{number:,} chunks", sum(item.chunks for item in documents)),
    )


def _print_plan(
    services: "Services", documents: "Sequence[RemovableDocument]", partitions: "Sequence[PartitionKey]"
) -> None:
    by_partition = {key: list(items) for key, items in groupby(documents, key=lambda item: item.partition)}
    for partition in partitions:
        click.echo(f"{partition}  {_counts(by_partition.get(partition, []))}")
    files = _remaining_files(services, documents)
    if files:
        stay = ngettext(
            "{number:,} of the files is in {directory}. Delete it too, or the next ingestion reads it again.",
            "{number:,} of the files are in {directory}. Delete them too, or the next ingestion reads them again.",
            files,
            directory=services.landing.root,
        )
        click.echo(stay)


def _remaining_files(services: "Services", documents: "Sequence[RemovableDocument]") -> int:
    try:
        present = services.landing.scan().fingerprints
    except LandingDirectoryMissing:
        return 0
    return sum(item.source_uri in present for item in documents)
