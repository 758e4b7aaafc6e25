"""`vector-assets demo`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_seconds
from ..translation import ngettext, translate
from .options import examples, filings_option

if TYPE_CHECKING:
    from ..domain.run_results import RunResult
    from ..services import Services

SAMPLES = Path(__file__).parent.parent / "samples"
QUESTIONS = (
    "What did the company do after the ammonia leak at its refrigerated warehouse?",
    "公司回购股份的价格上限是多少？",
    "大埔中央廚房第二期工程的預算是多少？預計何時投產？",
)
_EXAMPLES = examples("vector-assets demo", "vector-assets demo --filings ~/filings")


@click.command(epilog=_EXAMPLES)
@filings_option
@click.pass_context
def demo(ctx: click.Context, filings: Path | None) -> None:
    """Do the whole job once: read filings, chunk them, embed the chunks, show the coverage, and search.

    Without --filings it uses the sample filings of this package, and asks questions about them. A second time there is
    nothing to do.
    """
    from ..domain.coverage import GroupBy, grouped
    from .coverage_table import print_coverage
    from .open_services import open_services
    from .terminal import print_no_chunks, print_skipped

    started = time.monotonic()
    with open_services(filings or SAMPLES, creates=True) as services:
        results = _materialize(services)
        _print_summary(results, time.monotonic() - started)
        statuses = services.status()
        if statuses:
            print_coverage(grouped(statuses, GroupBy.PARTITION))
            # The answers to these questions are in the samples.
            for question in () if filings else QUESTIONS:
                _ask(services, question)
        else:
            print_no_chunks()
        rejections = services.documents.rejections()
        print_skipped(rejections, services.landing.manifest_rows)
    if filings:
        click.echo("\n" + translate("Ask about them: {command}", command="vector-assets search --interactive"))
    command = f"vector-assets dev --filings {filings or SAMPLES}"
    click.echo("\n" + translate("See it in Dagster, with the lineage and every run: {command}", command=command))
    if rejections or any(result.error for result in results):
        ctx.exit(1)


def _materialize(services: "Services") -> "list[RunResult]":
    from .partition_runs import run_partitions
    from .terminal import working

    with working(translate("looking for new documents")):
        changed = services.ingestion.changes().partitions
        pending = [item.partition for item in services.pending_partitions()]
    partitions: Sequence[PartitionKey] = sorted({*changed, *pending})
    if not partitions:
        return []
    from ..defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS

    return run_partitions(services, partitions, [DOCUMENTS, DOCUMENT_CHUNKS, VECTORIZED_CHUNKS])


def _print_summary(results: "Sequence[RunResult]", seconds: float) -> None:
    if not results:
        click.echo(translate("Nothing to do: every document is read and every chunk has its vector."))
        return
    vectorized = sum(result.report.vectorized_count for result in results if result.report)
    summary = translate(
        "{chunks} in {partitions} in {duration} ({speed:,.0f} chunks/s, with start-up and reading).",
        chunks=ngettext("{number:,} chunk vectorized", "{number:,} chunks vectorized", vectorized),
        partitions=ngettext("{number:,} partition", "{number:,} partitions", len(results)),
        duration=readable_seconds(seconds),
        speed=vectorized / seconds,
    )
    click.echo(summary)


def _ask(services: "Services", question: str) -> None:
    from .search import print_hits
    from .terminal import working

    click.echo(f"\n? {question}")
    with working(translate("loading the model")):
        hits = services.search.find(question, limit=2)
    print_hits(hits, question)
