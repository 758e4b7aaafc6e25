"""`vector-assets failures`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

import click

from ..domain.wording import readable_line
from ..translation import ngettext, translate
from .chosen_space import chosen_space, space_option
from .encodings import echo_json
from .options import examples, json_option
from .selection import Selection, partition_options

if TYPE_CHECKING:
    from ..domain.quarantine import FailedChunk, FailureCounts

# As many as a person reads at once. The JSON has all of them.
_SHOWN = 20
_SHOWN_CHARACTERS = 160


_EXAMPLES = examples("vector-assets failures us/", "vector-assets failures --company AAPL --json")


@click.command(epilog=_EXAMPLES)
@partition_options
@space_option
@json_option
def failures(selection: Selection, space: str | None, as_json: bool) -> None:
    """List the chunks that failed alone, each with its error, its attempts and its next attempt.

    PATTERN is a partition key or a part of one, in any letter case, with * for any letters: us/ is a market, AAPL a
    company, us/annual_report/ a document type of a market.

    A chunk that failed once stays pending and has a second attempt ten minutes later. If that fails too, the chunk is
    quarantined: it is tried again when its text changes (correct the filing and ingest it) or when it is retried (fix
    the cause, e.g. the model, and run vector-assets retry-failed). It delays no other chunk. The list has the first 20
    chunks and the beginning of each message; --json has all chunks and the whole messages.
    """
    from .open_services import open_services
    from .retry_failed import nothing_failed
    from .selection import selected
    from .terminal import print_no_chunks

    with open_services() as services:
        chosen = chosen_space(services, space)
        slug = chosen.space.slug if chosen else None
        statuses = selected(services.status(chosen.space if chosen else None), selection)
        partitions = [status.partition for status in statuses]
        found = services.quarantine.chunks(slug, partitions, None if as_json else _SHOWN) if slug else []
        counts = services.quarantine.counts(slug, partitions) if found and slug else None
    if as_json:
        echo_json({"failures": [_document(item) for item in found], "space": slug})
    elif not statuses:
        print_no_chunks()
    elif counts is None:
        click.echo(nothing_failed(len(statuses)))
    else:
        _print(found, counts, selection.as_typed() + (f" --space {space}" if space else ""))


def _print(found: "Sequence[FailedChunk]", counts: "FailureCounts", arguments: str) -> None:
    for partition, chunks in groupby(found, key=lambda item: item.partition):
        click.echo(str(partition))
        for chunk in chunks:
            for line in _lines(chunk):
                click.echo(f"  {line}")
    more = counts.pending + counts.quarantined - len(found)
    if more > 0:
        command = f"vector-assets failures{arguments} --json"
        click.echo(translate("... and {count:,} more: {command}", count=more, command=command))
    click.echo(
        translate(
            "{quarantined:,} quarantined, {pending:,} with another attempt by themselves. Fix the cause, then: "
            "{command}",
            quarantined=counts.quarantined,
            pending=counts.pending,
            command=f"vector-assets retry-failed{arguments}",
        )
    )


def _lines(chunk: "FailedChunk") -> Iterator[str]:
    """Format a chunk in three lines, because a table of ten columns fits no terminal."""
    document = readable_line(chunk.document.removeprefix(f"{chunk.partition}/"), _SHOWN_CHARACTERS)
    place = translate("{document}  chunk {index}", document=document, index=chunk.chunk_index)
    yield f"{place} (id {chunk.chunk_id})"
    yield f"    {readable_line(f'{chunk.error}: {chunk.message}', _SHOWN_CHARACTERS)}"
    failed = ngettext(
        "failed {number:,} time, last at {time} in run {run}",
        "failed {number:,} times, last at {time} in run {run}",
        chunk.attempts,
        time=_local_time(chunk.failed_at),
        run=readable_line(chunk.run_id, 40),
    )
    if chunk.next_attempt_at is None:
        then = translate("quarantined until its text changes or it is retried")
    else:
        then = translate("pending, next attempt at {time}", time=_local_time(chunk.next_attempt_at))
    yield f"    {failed}" + translate("; ") + then


def _local_time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _document(chunk: "FailedChunk") -> dict[str, object]:
    due = chunk.next_attempt_at
    return {
        "partition": str(chunk.partition),
        "document": chunk.document,
        "chunk_index": chunk.chunk_index,
        "chunk_id": str(chunk.chunk_id),
        "error": chunk.error,
        "message": chunk.message,
        "state": "quarantined" if chunk.is_quarantined else "pending",
        "attempts": chunk.attempts,
        "failed_at": chunk.failed_at.isoformat(timespec="seconds"),
        "next_attempt_at": due and due.isoformat(timespec="seconds"),
        "run_id": chunk.run_id,
    }
