"""`vector-assets status`."""

import json
from typing import TYPE_CHECKING

import click

from .options import json_option
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from ..domain.coverage import LastRun, PartitionStatus
    from ..domain.spaces import EmbeddingSpace

# More lines than a person reads; of so many partitions, sums are shown unless somebody asks for them.
_READABLE = 200
_BY = ("partition", "market", "doc_type", "company")


@click.command(short_help="Say how complete the partitions are.")
@partition_options
@click.option("--by", type=click.Choice(_BY), help="A line for each of these. Default: partition, or market if many.")
@json_option
def status(selection: Selection, by: str | None, as_json: bool) -> None:
    """Say how complete the partitions are: chunks, current, pending, quarantined, coverage.

    Then for how long the oldest pending text has been waiting, when the last run ended, and how fast it was.

    PATTERN is a partition with *, e.g. us/*/* for a market or */*/AAPL for a company. --json has every partition.
    """
    from ..domain.coverage import GroupBy, GroupStatus, grouped
    from .open_services import open_services
    from .selection import selected
    from .terminal import out, print_coverage

    with open_services() as services:
        space = services.spaces.active()
        chosen = selected(services.status(), selection)
    if as_json:
        click.echo(json.dumps(_document(chosen, space), ensure_ascii=False))
    elif not chosen:
        out.print("No chunks yet. Put filings into the database with: vector-assets ingest DIR")
    else:
        group_by = GroupBy(by or ("partition" if len(chosen) <= _READABLE else "market"))
        print_coverage(grouped(chosen, group_by), group_by)
        if by is None and group_by is GroupBy.MARKET:
            out.print(
                f"--by partition lists all {len(chosen):,}, --by company and --by doc_type add them up otherwise."
            )
        if (totals := GroupStatus.of("", chosen).token_totals).truncated_chunks:
            out.print(
                f"{totals.truncated_chunks:,} chunks are longer than the model reads; {totals.lost_share:.1%} of all "
                "tokens are lost. Cut smaller ones: VECTOR_ASSETS_CHUNK_TOKENS"
            )
        if space:
            out.print(f"vectors of {space.model}, {space.dimension} dimensions, space {space.slug}")


def _document(statuses: "list[PartitionStatus]", space: "EmbeddingSpace | None") -> dict[str, object]:
    return {
        "partitions": [{"partition": str(item.partition), **_figures(item)} for item in statuses],
        "space": space
        and {
            "slug": space.slug,
            "model": space.model,
            "revision": space.revision,
            "dimension": space.dimension,
            "max_tokens": space.max_tokens,
        },
    }


def _figures(item: "PartitionStatus") -> dict[str, object]:
    return {
        "chunks": item.chunks,
        "current": item.current,
        "pending": item.pending,
        "quarantined": item.quarantined,
        "coverage": item.coverage,
        "pending_since": item.pending_since and item.pending_since.isoformat(timespec="seconds"),
        "tokens": item.token_totals.tokens,
        "tokens_lost": item.token_totals.tokens_lost,
        "truncated_chunks": item.token_totals.truncated_chunks,
        "last_run": item.last_run and _run(item.last_run),
    }


def _run(run: "LastRun") -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "ended_at": run.ended_at.isoformat(timespec="seconds"),
        "chunks": run.chunks,
        "tokens": run.tokens,
        "seconds": run.seconds,
        "chunks_per_second": run.chunks_per_second,
    }
