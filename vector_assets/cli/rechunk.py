"""`vector-assets rechunk`."""

import click

from ..translation import ngettext, translate
from .options import examples

_EXAMPLES = examples("vector-assets rechunk", "VECTOR_ASSETS_CHUNK_TOKENS=128 vector-assets rechunk --yes")


@click.command(epilog=_EXAMPLES)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def rechunk(ctx: click.Context, yes: bool) -> None:
    """Chunk all documents again with the tokenizer and VECTOR_ASSETS_CHUNK_TOKENS of this process.

    How documents are chunked is stored in the database. A changed setting, another model or a new version changes
    nothing until this command does. Chunks whose text stays the same keep their ids and their vectors; the others are
    embedded again, in every space. Prints first what there is to do, and asks.
    """
    from .open_services import open_services
    from .partition_runs import run_partitions

    with open_services() as services:
        recipe = services.configured_chunker.recipe
        if services.chunking.identity() == recipe.identity:
            click.echo(translate("Nothing to do: the documents are chunked like this already."))
            return
        partitions = services.documents.unchunked_partitions(recipe.identity)
        chunks = sum(status.chunks for status in services.status() if status.partition in set(partitions))
        plan = translate(
            "{chunks} in {partitions}: their documents are chunked again, with at most {tokens:,} tokens a chunk.",
            chunks=ngettext("{number:,} chunk", "{number:,} chunks", chunks),
            partitions=ngettext("{number:,} partition", "{number:,} partitions", len(partitions)),
            tokens=recipe.max_tokens,
        )
        click.echo(plan)
        if not yes:
            click.confirm(translate("Go on?"), abort=True)
        services.use_configured_chunking()
        from ..defs.asset_keys import DOCUMENT_CHUNKS

        results = run_partitions(services, sorted(partitions), [DOCUMENT_CHUNKS], allow_shrink=True)
        pending = sum(status.pending for status in services.status())
    click.echo(ngettext("{number:,} chunk is pending.", "{number:,} chunks are pending.", pending))
    if pending:
        click.echo(translate("Embed them with: vector-assets backfill"))
    if any(result.error for result in results):
        ctx.exit(1)
