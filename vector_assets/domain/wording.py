"""Times and texts for people to read."""

from ..translation import translate


def readable_seconds(seconds: float) -> str:
    """`8 s`, `2 min 05 s`, `1 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return translate("{seconds} s", seconds=whole)
    if whole < 3600:
        return translate("{minutes} min {seconds:02d} s", minutes=whole // 60, seconds=whole % 60)
    return translate("{hours} h {minutes:02d} min", hours=whole // 3600, minutes=whole % 3600 // 60)


def readable_line(text: str, most: int) -> str:
    """One line of at most `most` characters: blanks for line ends and for what a terminal would obey, not show."""
    # Whoever wrote an endless text, only its beginning is looked at.
    shown = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return shown if len(shown) <= most and len(text) <= 4 * most else shown[: most - 4].rstrip() + " ..."
