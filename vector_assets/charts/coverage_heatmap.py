"""Draw coverage by document type and market: coloured cells with percent and number of chunks written in them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ..domain.coverage import GroupBy, GroupStatus, PartitionStatus, grouped
from .figure import (
    BACKGROUND,
    GRID,
    INK,
    LABEL_SIZE,
    MUTED,
    SMALL_SIZE,
    TITLE_SIZE,
    as_png,
    chart_style,
    new_figure,
    shortened,
    text_width,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# So many fit into a dialog, and their picture into 40 kB: Dagster's storage keeps one an hour, for ever. Where there
# are more, the last row or column is the sum of the smallest.
MAX_COLUMNS = 8
MAX_ROWS = 10

TITLE = "Coverage by document type and market"
_CAPTION = "Share of chunks that have a current vector, and number of chunks"

# From red to blue, which people who cannot tell red from green can tell: ColorBrewer's RdYlBu. The steps are narrow
# near 100 %, where it matters. A colour is for a share of this or more; the first is for complete cells only.
_COLOURS = (
    (1.0, "#4575b4"),
    (0.99, "#91bfdb"),
    (0.95, "#e0f3f8"),
    (0.8, "#fee090"),
    (0.5, "#fc8d59"),
    (0.0, "#d73027"),
)
_DARK_COLOURS = {"#4575b4", "#d73027"}
_NO_PARTITIONS_COLOUR = BACKGROUND
_NO_PARTITIONS_TEXT = "–"

# Pixels.
_CELL_WIDTH, _CELL_HEIGHT, _GAP = 92, 46, 2
_HEADER, _MARGIN, _SPACE = 80, 14, 10
_MAX_ROW_NAME = 200
_MIN_WIDTH = 420


@dataclass(frozen=True)
class CoverageGrid:
    """Coverage per document type (rows) and market (columns); a cell to which no partition belongs is missing."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], GroupStatus]

    @classmethod
    def of(cls, statuses: Sequence[PartitionStatus]) -> Self:
        """Add up the partitions of each cell; rows and columns are in the order of their names."""
        rows = _shown_names(grouped(statuses, GroupBy.DOC_TYPE), MAX_ROWS)
        columns = _shown_names(grouped(statuses, GroupBy.MARKET), MAX_COLUMNS)
        members: dict[tuple[str, str], list[PartitionStatus]] = defaultdict(list)
        for status in statuses:
            members[rows[status.partition.doc_type], columns[status.partition.market]].append(status)
        cells = {place: GroupStatus.of("/".join(place), items) for place, items in members.items()}
        return cls(tuple(dict.fromkeys(rows.values())), tuple(dict.fromkeys(columns.values())), cells)


def _shown_names(groups: Sequence[GroupStatus], limit: int) -> dict[str, str]:
    """Map each group's name to the one it is shown under: its own, or a common one for the smallest of too many."""
    if len(groups) <= limit:
        return {group.name: group.name for group in groups}
    largest = sorted(groups, key=lambda group: (-group.chunks, group.name))[: limit - 1]
    own = {name: name for name in sorted(group.name for group in largest)}
    rest = f"{len(groups) - len(own)} others"
    return own | {group.name: rest for group in groups if group.name not in own}


def cell_texts(group: GroupStatus | None) -> tuple[str, str]:
    """Return what is written in a cell: the coverage and the number of chunks."""
    return (group.coverage_percent, f"{group.chunks:,}") if group else (_NO_PARTITIONS_TEXT, "")


def cell_colour(group: GroupStatus | None) -> str:
    """Return a cell's colour: that of complete cells where nothing is missing, and one of its own for no partitions."""
    if group is None:
        return _NO_PARTITIONS_COLOUR
    return next(colour for share, colour in _COLOURS if group.coverage >= share)


def draw_heatmap(grid: CoverageGrid) -> bytes:
    """Draw the grid as a PNG of at most 40 kB."""
    with chart_style():
        return as_png(_figure(grid))


def _figure(grid: CoverageGrid) -> "Figure":
    names = [shortened(name, LABEL_SIZE, _MAX_ROW_NAME) for name in grid.rows]
    left = _MARGIN + round(max((text_width(name, LABEL_SIZE) for name in names), default=0)) + _SPACE
    width = max(left + _CELL_WIDTH * len(grid.columns) + _MARGIN, _MIN_WIDTH)
    height = _HEADER + _CELL_HEIGHT * len(grid.rows) + _MARGIN
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.text(_MARGIN, 22, TITLE, fontsize=TITLE_SIZE, va="center")
    axes.text(_MARGIN, 43, _CAPTION, color=MUTED, fontsize=SMALL_SIZE, va="center")
    for column, market in enumerate(grid.columns):
        name = shortened(market, LABEL_SIZE, _CELL_WIDTH - _SPACE)
        _write(axes, left + _CELL_WIDTH * (column + 0.5) - _GAP / 2, _HEADER - 14, name, LABEL_SIZE, INK)
    for row, doc_type in enumerate(grid.rows):
        top = _HEADER + _CELL_HEIGHT * row
        axes.text(left - _SPACE, top + _CELL_HEIGHT / 2, names[row], ha="right", va="center")
        for column, market in enumerate(grid.columns):
            _draw_cell(axes, left + _CELL_WIDTH * column, top, grid.cells.get((doc_type, market)))
    return figure


def _draw_cell(axes: "Axes", left: float, top: float, group: GroupStatus | None) -> None:
    from matplotlib.patches import Rectangle

    width, height = _CELL_WIDTH - _GAP, _CELL_HEIGHT - _GAP
    colour, (share, chunks) = cell_colour(group), cell_texts(group)
    edge = GRID if group is None else colour
    axes.add_patch(Rectangle((left, top), width, height, facecolor=colour, edgecolor=edge, linewidth=1))
    ink = MUTED if group is None else BACKGROUND if colour in _DARK_COLOURS else INK
    _write(axes, left + width / 2, top + height * (0.34 if chunks else 0.5), share, LABEL_SIZE + 2, ink)
    _write(axes, left + width / 2, top + height * 0.74, chunks, SMALL_SIZE, ink)


def _write(axes: "Axes", x: float, y: float, text: str, size: int, ink: str) -> None:
    axes.text(x, y, text, color=ink, fontsize=size, ha="center", va="center")
