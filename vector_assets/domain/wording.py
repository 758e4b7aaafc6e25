"""Write durations, ages, sizes, counts, and texts that others wrote, so that people can read them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import reduce

from humanize import naturalsize, naturaltime

from ..translation import marked, ngettext, translate

# Units with their size in seconds.
_UNITS = (
    (86_400, marked("{count} d")),
    (3600, marked("{count} h")),
    (60, marked("{count} min")),
    (1, marked("{count} s")),
)


def readable_seconds(seconds: float) -> str:
    """Write a duration in at most two units: `8 s`, `2 min 5 s`, `1 h 20 min`, `3 d`.

    humanize has no short form: its precisedelta writes `2 minutes and 5 seconds`, too long for a line of progress.
    """
    rest = max(round(seconds), 0)
    counts = []
    for size, unit in _UNITS:
        counts.append((rest // size, unit))
        rest %= size
    first = next((place for place, (count, _) in enumerate(counts) if count), len(counts) - 1)
    shown = [counts[first], *((count, unit) for count, unit in counts[first + 1 : first + 2] if count)]
    return " ".join(translate(unit, count=count) for count, unit in shown)


def readable_age(moment: datetime, now: datetime) -> str:
    """Write how long ago a moment was: `3 hours ago`; `now` where a clock was set back."""
    return naturaltime(max(now - moment, timedelta()))


def readable_bytes(count: int) -> str:
    """Write a size in binary units, with a decimal where it matters: `128 MiB`, `1.6 GiB`."""
    return naturalsize(count, binary=True).replace(".0 ", " ")


def readable_chunks(number: int) -> str:
    """Write a number of chunks: `1 chunk`, `2,000 chunks`."""
    return ngettext("{number:,} chunk", "{number:,} chunks", number)


def readable_coverage(current: int, chunks: int) -> str:
    """Write a coverage rounded down: `100%` means complete, `0%` means that no chunk is current."""
    if current == chunks:
        return "100%"
    if current == 0:
        return "0%"
    tenths = current * 1000 // chunks
    return f"{tenths // 10}.{tenths % 10}%" if tenths else "<0.1%"


def part_read(read: int, chunks: int) -> list[str]:
    """Say which part of a partition's chunks a statement is about, in a sentence; in none where all were read."""
    if read >= chunks:
        return []
    sentence = ngettext(
        "{read:,} of {number:,} chunk was read: what the run changed, and a random sample.",
        "{read:,} of {number:,} chunks were read: what the run changed, and a random sample.",
        chunks,
        read=read,
    )
    return [sentence]


def readable_paragraph(sentences: Sequence[str]) -> str:
    """Join whole sentences, with a blank between them in the languages that write one."""
    if not sentences:
        return ""
    return reduce(lambda text, sentence: translate("{text} {sentence}", text=text, sentence=sentence), sentences)


def readable_line(text: str, most: int) -> str:
    """Write the text in one line of at most `most` characters, with blanks for line ends and control characters."""
    # Of an endless text only the beginning is read.
    shown = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return shown if len(shown) <= most and len(text) <= 4 * most else shown[: most - 4].rstrip() + " ..."
