"""`vector-assets demo`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_seconds
from .options import filings_option

if TYPE_CHECKING:
    from ..domain.run_results import RunResult
    from ..services import Services

SAMPLES = Path(__file__).parent.parent / "samples"
QUESTIONS = (
    "What did the company do after the ammonia leak at its refrigerated warehouse?",
    "公司回购股份的价格上限是多少？",
)


@click.command(short_help="Do the whole job once, on sample filings or yours.")
@filings_option
@click.pass_context
def demo(ctx: click.Context, filings: Path | None) -> None:
    """Do the whole job once: read filings, cut them, embed the chunks, show the coverage, and search.

    Without --filings it takes the samples that come with the package. A second time it finds nothing to do.
    """
    from ..domain.coverage import GroupBy, grouped
    from .open_services import open_services
    from .terminal import print_coverage, print_skipped

    started = time.monotonic()
    with open_services(filings or SAMPLES) as services:
        results = _materialize(services)
        _print_summary(results, time.monotonic() - started)
        statuses = services.status()
        print_coverage(grouped(statuses, GroupBy.PARTITION))
        for question in QUESTIONS:
            _ask(services, question)
        rejections = services.documents.rejections()
        print_skipped(rejections)
    click.echo("\nSee it in Dagster, with lineage and every run: vector-assets dev" + _landing_hint(filings))
    if rejections or any(result.error for result in results):
        ctx.exit(1)


def _materialize(services: "Services") -> "list[RunResult]":
    from .partition_runs import run_partitions
    from .terminal import working

    with working("looking for new documents"):
        changed = services.ingestion.changes().partitions
        pending = [item.partition for item in services.pending_partitions()]
    partitions: Sequence[PartitionKey] = sorted({*changed, *pending})
    if not partitions:
        return []
    from ..defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS

    return run_partitions(services, partitions, [DOCUMENTS, DOCUMENT_CHUNKS, VECTORIZED_CHUNKS])


def _print_summary(results: "Sequence[RunResult]", seconds: float) -> None:
    if not results:
        click.echo("Nothing to do: every document is read and every chunk has its vector.")
        return
    vectorized = sum(result.metadata.get("vectorized", 0) for result in results)
    click.echo(
        f"{vectorized:,} chunks vectorized in {len(results):,} partitions in {readable_seconds(seconds)} "
        f"({vectorized / seconds:,.0f} chunks/s, starting and reading included)."
    )


def _ask(services: "Services", question: str) -> None:
    from .search import print_hits
    from .terminal import working

    click.echo(f"\n? {question}")
    with working("loading the model"):
        hits = services.search.find(question, limit=2)
    print_hits(hits)


def _landing_hint(filings: Path | None) -> str:
    return f" --filings {filings or SAMPLES}"
