"""Coverage by document type and market as a picture: coloured cells with the figures written in them."""

import base64
import math
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Self

from ..coverage import GroupBy, GroupStatus, PartitionStatus, grouped

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
_NOTHING, _INK, _MUTED, _CARD, _LINE = "#f0f0f0", "#1f2328", "#656d76", "#ffffff", "#d0d7de"

# Inches. The picture brings its own light background, so that it reads the same on a dark page.
_CELL_WIDTH, _CELL_HEIGHT = 0.86, 0.44
_HEADER, _MARGIN, _LEAST_WIDTH = 0.78, 0.14, 3.9
_LONGEST_NAME = 2.0
_DPI = 100

# What matplotlib brings along, so that the picture is the same everywhere; sizes are in points.
_FONT = "DejaVu Sans"
_TITLE, _NAME, _SHARE, _SMALL = 9.5, 8, 9, 7


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
    return (percent(group), short_count(group.chunks)) if group else ("–", "")


def colour(group: GroupStatus | None) -> str:
    """The cell's. The first of the colours is for complete ones only, as `100%` is."""
    if group is None:
        return _NOTHING
    return next(shade for least, shade in _COLOURS if group.coverage >= least)


def draw(grid: Grid, cache: Path) -> bytes:
    """A PNG. `cache` is where matplotlib keeps its list of fonts, which it would else write to the user's home."""
    os.environ.setdefault("MPLCONFIGDIR", str(cache))
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    names = [_fitting(name, _LONGEST_NAME) for name in grid.rows]
    left = _MARGIN + max(map(_width, names), default=0) + 0.1
    width = max(left + _CELL_WIDTH * len(grid.columns) + _MARGIN, _LEAST_WIDTH)
    width = math.ceil(width * _DPI) / _DPI  # whole pixels, or the border would be cut off
    height = math.ceil((_HEADER + _CELL_HEIGHT * len(grid.rows) + _MARGIN) * _DPI) / _DPI

    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor=_CARD)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)

    def write(x: float, y: float, text: str, size: float, ink: str = _INK, align: str = "center") -> None:
        axes.text(x, y, text, fontsize=size, color=ink, ha=align, va="center", family=_FONT, parse_math=False)

    axes.add_patch(Rectangle((0, 0), width, height, facecolor=_CARD, edgecolor=_LINE, linewidth=2))
    write(_MARGIN, 0.2, "Coverage by doc type and market", _TITLE, align="left")
    write(_MARGIN, 0.39, "share of chunks with a current vector, and chunks", _SMALL, _MUTED, "left")
    for column, market in enumerate(grid.columns):
        write(left + _CELL_WIDTH * (column + 0.5), 0.64, _fitting(market, _CELL_WIDTH), _NAME)
    for row, (doc_type, name) in enumerate(zip(grid.rows, names, strict=True)):
        top = _HEADER + _CELL_HEIGHT * row
        write(left - 0.1, top + _CELL_HEIGHT / 2, name, _NAME, align="right")
        for column, market in enumerate(grid.columns):
            group, x = grid.cells.get((doc_type, market)), left + _CELL_WIDTH * column
            fill, (share, chunks) = colour(group), labels(group)
            cell = Rectangle((x, top), _CELL_WIDTH, _CELL_HEIGHT, facecolor=fill, edgecolor=_CARD, linewidth=2)
            axes.add_patch(cell)
            ink, centre = _CARD if fill in _DARK else _INK, x + _CELL_WIDTH / 2
            write(centre, top + (0.16 if chunks else _CELL_HEIGHT / 2), share, _SHARE, ink)
            write(centre, top + 0.32, chunks, _SMALL, ink)

    FigureCanvasAgg(figure)
    file = BytesIO()
    figure.savefig(file, format="png")
    return _in_few_colours(file)


def _in_few_colours(file: BytesIO) -> bytes:
    """The same PNG in a quarter of the bytes."""
    from PIL import Image

    smaller = BytesIO()
    with Image.open(file) as image:
        image.convert("RGB").quantize(48).save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def as_markdown(png: bytes) -> str:
    """The picture itself, for a page that can reach no other file."""
    return f"![coverage by doc type and market](data:image/png;base64,{base64.b64encode(png).decode()})"


def _fitting(name: str, inches: float) -> str:
    """The name, or so much of it."""
    shown = name
    while _width(shown) > inches:
        shown = f"{shown[:-2]}…"
    return shown


def _width(name: str) -> float:
    """Inches, a little more than needed: on the picture letters begin at whole pixels."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), name, size=_NAME, prop=FontProperties(family=_FONT))
    return float(path.get_extents().width) / 72 * 1.06
