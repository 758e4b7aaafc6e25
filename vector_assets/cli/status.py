"""`vector-assets status`."""

import json
from typing import TYPE_CHECKING

import click

from .options import json_option

if TYPE_CHECKING:
    from ..domain import EmbeddingSpace, PartitionStatus


@click.command(short_help="Say how complete the partitions are.")
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
@json_option
def status(patterns: tuple[str, ...], as_json: bool) -> None:
    """Say how complete the partitions are: chunks, current, pending, quarantined, coverage.

    PATTERN is a partition with *, e.g. us/*/* for a market or */*/AAPL for a company.
    """
    from .parts import open_parts
    from .selection import matching
    from .terminal import out, print_coverage

    with open_parts() as parts:
        space = parts.spaces.active()
        statuses = parts.status()
    chosen = matching(statuses, patterns)
    if as_json:
        click.echo(json.dumps(_document(chosen, space), ensure_ascii=False))
    elif not chosen:
        out.print("No chunks yet. Put filings into the database with: vector-assets ingest DIR")
    else:
        print_coverage(chosen)
        if space:
            out.print(f"vectors of {space.model}, {space.dimension} dimensions, space {space.slug}")


def _document(statuses: "list[PartitionStatus]", space: "EmbeddingSpace | None") -> dict[str, object]:
    return {
        "partitions": [
            {
                "partition": str(item.partition),
                "chunks": item.chunks,
                "current": item.current,
                "pending": item.pending,
                "quarantined": item.quarantined,
                "coverage": item.coverage,
                "last_run": item.last_run
                and {"run_id": item.last_run.run_id, "at": item.last_run.at.isoformat(timespec="seconds")},
            }
            for item in statuses
        ],
        "space": space
        and {
            "slug": space.slug,
            "model": space.model,
            "revision": space.revision,
            "dimension": space.dimension,
            "max_tokens": space.max_tokens,
        },
    }
