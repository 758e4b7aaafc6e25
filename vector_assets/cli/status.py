"""`vector-assets status`."""

from typing import TYPE_CHECKING

import click

from ..domain.spaces import SpaceStatus
from ..translation import ngettext, translate
from .chosen_space import chosen_space, space_option
from .encodings import echo_json
from .options import examples, json_option
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..domain.coverage import LastRun, PartitionStatus
    from ..domain.partition_keys import PartitionKey
    from ..domain.spaces import RegisteredSpace

# The table has a row per partition up to this many, and a row per market above: nobody reads more rows.
_MOST_ROWS = 200
_BY = ("partition", "market", "doc_type", "company")

_EXAMPLES = examples(
    "vector-assets status",
    "vector-assets status us/ --by company",
    "vector-assets status --json | jq '.partitions[] | select(.pending > 0)'",
)


@click.command(epilog=_EXAMPLES)
@partition_options
@click.option("--by", type=click.Choice(_BY), help="What a row sums up. Default: partition, or market if many.")
@space_option
@json_option
def status(selection: Selection, by: str | None, space: str | None, as_json: bool) -> None:
    """Show how complete the partitions are: chunks, current, pending and quarantined ones, and the coverage.

    Then the age of the oldest pending text, when the last run ended, and how fast it was. A narrow terminal shows fewer
    columns: first without the speed, then without the last run, the current chunks, the age and the quarantined ones.

    PATTERN is a partition key or a part of one, in any letter case, with * for any letters: us/ is a market, AAPL a
    company, us/annual_report/ a document type of a market.
    --json has every partition.
    """
    from .open_services import open_services
    from .selection import selected
    from .terminal import print_no_chunks

    with open_services() as services:
        of_space = chosen_space(services, space)
        chosen = selected(services.status(of_space.space if of_space else None), selection)
        names = services.company_names.all()
    if as_json:
        echo_json(_document(chosen, names, of_space))
    elif not chosen:
        print_no_chunks()
    else:
        _print(chosen, by, names, of_space)


def _print(
    statuses: "list[PartitionStatus]",
    by: str | None,
    names: "Mapping[PartitionKey, str]",
    space: "RegisteredSpace | None",
) -> None:
    """Print the table and what it does not show."""
    from ..domain.coverage import GroupBy, GroupStatus, grouped, with_company_names
    from .coverage_table import print_coverage
    from .terminal import out

    group_by = GroupBy(by or ("partition" if len(statuses) <= _MOST_ROWS else "market"))
    groups = grouped(statuses, group_by)
    print_coverage(with_company_names(groups, names) if group_by is GroupBy.COMPANY else groups, group_by)
    if by is None and group_by is GroupBy.MARKET:
        hint = translate(
            "--by partition lists all {count:,} partitions; --by company and --by doc_type sum them up differently.",
            count=len(statuses),
        )
        out.print(hint)
    if (totals := GroupStatus.of("", statuses).token_totals).truncated_chunks:
        truncated = ngettext(
            "{number:,} chunk is longer than the model reads and was truncated; {share:.1%} of all tokens are lost. "
            "Lower VECTOR_ASSETS_CHUNK_TOKENS to get smaller chunks.",
            "{number:,} chunks are longer than the model reads and were truncated; {share:.1%} of all tokens are lost. "
            "Lower VECTOR_ASSETS_CHUNK_TOKENS to get smaller chunks.",
            totals.truncated_chunks,
            share=totals.lost_share,
        )
        out.print(truncated)
    if space:
        _print_space(space)


def _print_space(registered: "RegisteredSpace") -> None:
    """Print whose vectors are counted, and what is special about a space that does not serve."""
    from .terminal import out

    space = registered.space
    line = translate(
        "vectors of {model}, {dimension} dimensions, space {space}",
        model=space.model,
        dimension=space.dimension,
        space=space.slug,
    )
    out.print(line)
    if registered.status is SpaceStatus.FILLING:
        out.print(translate("It is filled beside the serving space, and not searched."))
    if registered.status is SpaceStatus.RETIRED:
        retired = translate(
            "It is retired, and so not updated: chunks without a current vector are counted as pending. To update it: "
            "vector-assets spaces add {model}",
            model=space.source,
        )
        out.print(retired)


def _document(
    statuses: "list[PartitionStatus]", names: "Mapping[PartitionKey, str]", registered: "RegisteredSpace | None"
) -> dict[str, object]:
    space = registered and registered.space
    return {
        "partitions": [
            {"partition": str(item.partition), "company_name": names.get(item.partition, ""), **_figures(item)}
            for item in statuses
        ],
        "space": space
        and {
            "slug": space.slug,
            "status": registered and registered.status,
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
