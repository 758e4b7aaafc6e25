"""Tables that fit the terminal: where it is too narrow, they do without the columns that matter least."""

from collections.abc import Mapping, Sequence
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_fitting(
    console: Console,
    headers: Mapping[str, str],
    rows: Sequence[Sequence[Text]],
    dispensable: Sequence[str],
    left: int = 1,
    has_sum: bool = False,
) -> None:
    """Print a table. What is piped has all columns, and no blanks at the ends of its lines.

    Args:
        console: where to.
        headers: the title of each column, by its name.
        rows: one cell per column.
        dispensable: the names of the columns that a narrow terminal does without, the first ones first.
        left: how many columns are aligned to the left, before the figures.
        has_sum: whether the last row is the sum of the others, below a line.
    """
    table = _table(headers, rows, dispensable, left, console.width if console.is_terminal else None, has_sum)
    if console.is_terminal:
        console.print(table)
    else:
        console.print(_unpadded(table), markup=False, end="")


def _table(
    headers: Mapping[str, str],
    rows: Sequence[Sequence[Text]],
    dispensable: Sequence[str],
    left: int,
    width: int | None,
    has_sum: bool,
) -> Table:
    """Make a table of the columns that the width has room for. A number is shown whole, however narrow it is."""
    widths = {
        header: max(cell_len(title), *(cell_len(row[number].plain) for row in rows))  # Chinese is two cells wide
        for number, (header, title) in enumerate(headers.items())
    }
    kept = _fitting(widths, dispensable, width)
    places = [list(headers).index(header) for header in kept]
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for place, header in zip(places, kept, strict=True):
        table.add_column(headers[header], min_width=widths[header], justify="left" if place < left else "right")
    for number, row in enumerate(rows):
        table.add_row(*(row[place] for place in places), end_section=has_sum and number == len(rows) - 2)
    return table


def _fitting(widths: Mapping[str, int], dispensable: Sequence[str], width: int | None) -> list[str]:
    """Choose the columns: all, but for as many of the dispensable ones as do not fit."""
    kept = list(widths)
    for header in dispensable:
        # A column is followed by its padding and by a divider; the table has two edges.
        if width is None or sum(widths[name] + 2 for name in kept) + 1 <= width:
            break
        kept.remove(header)
    return kept


def _unpadded(table: Table) -> str:
    """Format the table as lines without blanks at their ends."""
    lines = StringIO()
    Console(file=lines, width=10_000, color_system=None).print(table)
    return "".join(line.rstrip() + "\n" for line in lines.getvalue().splitlines())
