"""Write durations, ages, sizes, and texts that others wrote, so that people can read them."""

from datetime import datetime, timedelta

from humanize import naturalsize, naturaltime

# A unit of this many seconds, and the next smaller one.
_UNITS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def readable_seconds(seconds: float) -> str:
    """Write a duration in at most two units: `8 s`, `2 min 5 s`, `1 h 20 min`, `3 d`.

    humanize has no short form: its precisedelta writes `2 minutes and 5 seconds`, too long for a line of progress.
    """
    whole = max(round(seconds), 0)
    for size, unit, smaller_size, smaller_unit in _UNITS:
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{whole} s"


def readable_age(moment: datetime, now: datetime) -> str:
    """Write how long ago a moment was: `3 hours ago`; `now` where a clock was set back."""
    return naturaltime(max(now - moment, timedelta()))


def readable_bytes(count: int) -> str:
    """Write a size in binary units, with a decimal where it matters: `128 MiB`, `1.6 GiB`."""
    return naturalsize(count, binary=True).replace(".0 ", " ")


def readable_line(text: str, most: int) -> str:
    """Write the text in one line of at most `most` characters, with blanks for line ends and control characters."""
    # Of an endless text only the beginning is read.
    shown = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return shown if len(shown) <= most and len(text) <= 4 * most else shown[: most - 4].rstrip() + " ..."
