"""`vector-assets failures`."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ..domain.wording import readable_line
from .options import json_option
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from ..domain.coverage import PartitionStatus
    from ..domain.quarantine import QuarantinedChunk
    from ..services import Services

# What a person reads at once; all of them are in the JSON.
_SHOWN = 20
_SHOWN_CHARACTERS = 160


@click.command(short_help="List the chunks that failed, with their errors.")
@partition_options
@json_option
def failures(selection: Selection, as_json: bool) -> None:
    """List the quarantined chunks: those that failed alone, each with its error and how often it was tried.

    PATTERN is a partition with *, e.g. us/*/* for a market or */*/AAPL for a company.

    A quarantined chunk keeps no other chunk waiting. It is tried again when its text changes (correct the filing and
    ingest it) or when somebody asks for it (mend the cause, e.g. the model, and run vector-assets retry-failed). The
    list shows the beginning of each message and the first 20 chunks; --json has all of both.
    """
    from .open_services import open_services
    from .selection import selected

    with open_services() as services:
        space = services.spaces.active()
        slug = space.slug if space else None
        statuses = selected(services.status(), selection)
        found = _quarantined(services, slug, statuses, None if as_json else _SHOWN)
    if as_json:
        click.echo(json.dumps({"failures": [_document(item) for item in found], "space": slug}, ensure_ascii=False))
    elif not statuses:
        click.echo("No chunks yet. Put filings into the database with: vector-assets ingest DIR")
    elif not found:
        click.echo(f"No chunk is quarantined in {len(statuses):,} partitions.")
    else:
        _print(found, sum(status.quarantined for status in statuses), selection)


def _quarantined(
    services: "Services", slug: str | None, statuses: "Sequence[PartitionStatus]", limit: int | None
) -> "list[QuarantinedChunk]":
    if slug is None:
        return []
    concerned = [status.partition for status in statuses if status.quarantined]
    return services.quarantine.chunks(slug, concerned, limit)


def _print(found: "Sequence[QuarantinedChunk]", total: int, selection: Selection) -> None:
    for partition, chunks in groupby(found, key=lambda item: item.partition):
        click.echo(str(partition))
        for chunk in chunks:
            for line in _lines(chunk):
                click.echo(f"  {line}")
    chosen = selection.as_typed()
    if total > len(found):
        click.echo(f"... and {total - len(found):,} more: vector-assets failures{chosen} --json")
    click.echo(f"{total:,} quarantined. Mend the cause, then: vector-assets retry-failed{chosen}")


def _lines(chunk: "QuarantinedChunk") -> Iterator[str]:
    """Three lines, for ten columns would fit no terminal."""
    document = readable_line(chunk.document.removeprefix(f"{chunk.partition}/"), _SHOWN_CHARACTERS)
    yield f"{document}  chunk {chunk.chunk_index} (id {chunk.chunk_id})"
    yield f"    {readable_line(f'{chunk.error}: {chunk.message}', _SHOWN_CHARACTERS)}"
    times = "once" if chunk.attempts == 1 else f"{chunk.attempts:,} times"
    due = f"{chunk.next_attempt_at.astimezone():%Y-%m-%d %H:%M}" if chunk.next_attempt_at else "when asked for"
    failed_at = f"{chunk.failed_at.astimezone():%Y-%m-%d %H:%M}"
    yield f"    failed {times}, last {failed_at} in run {readable_line(chunk.run_id, 40)}; next attempt {due}"


def _document(chunk: "QuarantinedChunk") -> dict[str, object]:
    due = chunk.next_attempt_at
    return {
        "partition": str(chunk.partition),
        "document": chunk.document,
        "chunk_index": chunk.chunk_index,
        "chunk_id": chunk.chunk_id,
        "error": chunk.error,
        "message": chunk.message,
        "attempts": chunk.attempts,
        "failed_at": chunk.failed_at.isoformat(timespec="seconds"),
        "next_attempt_at": due and due.isoformat(timespec="seconds"),
        "run_id": chunk.run_id,
    }
