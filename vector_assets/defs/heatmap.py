"""Coverage by document type and market as a picture: coloured cells with the figures written in them."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ..domain.coverage import GroupBy, GroupStatus, PartitionStatus, grouped
from .canvas import CARD, INK, MUTED, Canvas

# So many fit into a dialog, and their picture into 40 kB: every run leaves one in Dagster's storage, for ever. Where
# there are more, the last one is the sum of the smallest.
MOST_COLUMNS = 8
MOST_ROWS = 10

# From red to blue, which people who cannot tell red from green can tell: ColorBrewer's RdYlBu. The steps are narrow
# near 100 %, where it matters; a colour is for a share of this or more.
_COLOURS = (
    (1.0, "#4575b4"),
    (0.99, "#91bfdb"),
    (0.95, "#e0f3f8"),
    (0.8, "#fee090"),
    (0.5, "#fc8d59"),
    (0.0, "#d73027"),
)
_DARK = {"#4575b4", "#d73027"}
_NOTHING = "#f0f0f0"

TITLE = "Coverage by doc type and market"

# Pixels. A cell's right and lower edge are the gap to the next.
_CELL_WIDTH, _CELL_HEIGHT, _GAP = 86, 44, 2
_HEADER, _MARGIN, _LEAST_WIDTH = 78, 14, 390
_LONGEST_NAME = 200
_TITLE, _NAME, _SHARE, _SMALL = 16, 13, 15, 12


@dataclass(frozen=True)
class Grid:
    """Rows are document types, columns are markets; a cell that no partition belongs to is missing."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], GroupStatus]

    @classmethod
    def of(cls, statuses: Sequence[PartitionStatus]) -> Self:
        """Add up, by name."""
        rows = _shown(grouped(statuses, GroupBy.DOC_TYPE), MOST_ROWS)
        columns = _shown(grouped(statuses, GroupBy.MARKET), MOST_COLUMNS)
        members: dict[tuple[str, str], list[PartitionStatus]] = defaultdict(list)
        for item in statuses:
            members[rows[item.partition.doc_type], columns[item.partition.market]].append(item)
        cells = {at: GroupStatus.of("/".join(at), items) for at, items in members.items()}
        return cls(tuple(dict.fromkeys(rows.values())), tuple(dict.fromkeys(columns.values())), cells)


def _shown(groups: Sequence[GroupStatus], most: int) -> dict[str, str]:
    """Under which name each group is shown: its own, or a common one for the smallest where they are too many."""
    if len(groups) <= most:
        return {group.name: group.name for group in groups}
    largest = sorted(groups, key=lambda group: (-group.chunks, group.name))[: most - 1]
    own = {group.name: group.name for group in sorted(largest, key=lambda group: group.name)}
    others = f"{len(groups) - len(own)} others"
    return own | {group.name: others for group in groups if group.name not in own}


def percent(group: GroupStatus) -> str:
    """Rounded down, in whole numbers: `100%` is said of nothing less, and `0%` of nothing more."""
    if group.current == group.chunks:
        return "100%"
    if group.current == 0:
        return "0%"
    tenths = group.current * 1000 // group.chunks
    return f"{tenths // 10}.{tenths % 10}%" if tenths else "<0.1%"


def short_count(count: int) -> str:
    """`99,999`, then `100k`, then `1.0M`, rounded down."""
    if count < 100_000:
        return f"{count:,}"
    return f"{count // 1000}k" if count < 1_000_000 else f"{count // 100_000 / 10:,.1f}M"


def labels(group: GroupStatus | None) -> tuple[str, str]:
    """What is written in a cell: the percent, and the number of chunks."""
    return (percent(group), short_count(group.chunks)) if group else ("-", "")


def colour(group: GroupStatus | None) -> str:
    """The cell's. The first of the colours is for complete ones only, as `100%` is."""
    if group is None:
        return _NOTHING
    return next(shade for least, shade in _COLOURS if group.coverage >= least)


def draw(grid: Grid) -> bytes:
    """A PNG."""
    measure = Canvas(1, 1)
    names = [measure.fitting(name, _NAME, _LONGEST_NAME) for name in grid.rows]
    left = _MARGIN + math.ceil(max((measure.text_width(name, _NAME) for name in names), default=0)) + 12
    width = max(left + _CELL_WIDTH * len(grid.columns) + _MARGIN, _LEAST_WIDTH)
    canvas = Canvas(width, _HEADER + _CELL_HEIGHT * len(grid.rows) + _MARGIN)

    canvas.text(_MARGIN, 20, TITLE, _TITLE)
    canvas.text(_MARGIN, 39, "share of chunks with a current vector, and chunks", _SMALL, MUTED)
    for column, market in enumerate(grid.columns):
        name = canvas.fitting(market, _NAME, _CELL_WIDTH - 6)
        canvas.text(left + _CELL_WIDTH * (column + 0.5), 65, name, _NAME, align="m")
    for row, (doc_type, name) in enumerate(zip(grid.rows, names, strict=True)):
        top = _HEADER + _CELL_HEIGHT * row
        canvas.text(left - 10, top + _CELL_HEIGHT / 2 - 1, name, _NAME, align="r")
        for column, market in enumerate(grid.columns):
            _draw_cell(canvas, left + _CELL_WIDTH * column, top, grid.cells.get((doc_type, market)))
    return canvas.png()


def _draw_cell(canvas: Canvas, left: int, top: int, group: GroupStatus | None) -> None:
    fill, (share, chunks) = colour(group), labels(group)
    ink, centre = CARD if fill in _DARK else INK, left + (_CELL_WIDTH - _GAP) / 2
    canvas.rectangle(left, top, left + _CELL_WIDTH - _GAP, top + _CELL_HEIGHT - _GAP, fill)
    canvas.text(centre, top + (14 if chunks else (_CELL_HEIGHT - _GAP) / 2), share, _SHARE, ink, "m")
    canvas.text(centre, top + 31, chunks, _SMALL, ink, "m")
