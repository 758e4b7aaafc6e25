"""The heat map: what is written in it, and that it is a small picture."""

import base64
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from vector_assets.defs.canvas import as_markdown
from vector_assets.defs.heatmap import MOST_COLUMNS, MOST_ROWS, TITLE, Grid, colour, draw, labels
from vector_assets.domain.coverage import GroupStatus, PartitionStatus
from vector_assets.domain.partition_keys import PartitionKey

LARGEST_BYTES = 40_000


def status(key: str, chunks: int, pending: int = 0, quarantined: int = 0) -> PartitionStatus:
    return PartitionStatus(PartitionKey.parse(key), chunks, pending, quarantined, None, None)


def group(chunks: int, lacking: int) -> GroupStatus:
    return GroupStatus.of("any", [status("us/annual_report/A", chunks, lacking)])


def filled(markets: int, doc_types: int) -> list[PartitionStatus]:
    """A partition in every cell, each with other numbers, of which the later ones are larger."""
    return [
        status(f"m{market:02}/type_{doc_type:02}/A", 90_000 + 37 * (market + doc_type), 31 * market * doc_type)
        for market in range(markets)
        for doc_type in range(doc_types)
    ]


@pytest.mark.parametrize(
    ("chunks", "lacking", "written"),
    [
        (1, 0, ("100%", "1")),
        (0, 0, ("100%", "0")),
        (10, 10, ("0%", "10")),
        (1000, 1, ("99.9%", "1,000")),
        (1_000_000, 1, ("99.9%", "1.0M")),
        (1_000_000, 999_999, ("<0.1%", "1.0M")),
        (100, 71, ("29.0%", "100")),
        (3, 1, ("66.6%", "3")),
        (99_999, 0, ("100%", "99,999")),
        (100_000, 0, ("100%", "100k")),
        (999_999, 0, ("100%", "999k")),
        (12_345_678, 0, ("100%", "12.3M")),
    ],
)
def test_a_cell_tells_percent_and_chunks(chunks: int, lacking: int, written: tuple[str, str]) -> None:
    """Rounded down, so that 100% is said of nothing less; and 0% of nothing more."""
    assert labels(group(chunks, lacking)) == written


def test_a_cell_without_partitions_is_no_zero() -> None:
    """Nor is it complete."""
    assert labels(None) == ("-", "")
    assert colour(None) not in {colour(group(10, 0)), colour(group(10, 10))}


def test_the_colour_of_complete_is_for_complete_cells_only() -> None:
    """As 100% is; among the others, more is never redder."""
    shades = [colour(group(1_000_000, lacking)) for lacking in (0, 1, 20_000, 100_000, 300_000, 600_000, 1_000_000)]

    assert shades[0] not in shades[1:]
    assert len(dict.fromkeys(shades)) == 6
    assert shades == sorted(shades, key=list(dict.fromkeys(shades)).index)


def test_partitions_are_added_up_by_doc_type_and_market() -> None:
    """Quarantined chunks are lacking, too."""
    grid = Grid.of(
        [
            status("us/annual_report/A", 10, 5),
            status("us/annual_report/B", 30, 1, 4),
            status("cn/announcement/600519", 7),
        ]
    )

    assert (grid.rows, grid.columns) == (("announcement", "annual_report"), ("cn", "us"))
    assert {at: labels(cell) for at, cell in grid.cells.items()} == {
        ("annual_report", "us"): ("75.0%", "40"),
        ("announcement", "cn"): ("100%", "7"),
    }


def test_where_there_are_many_the_smallest_are_added_up() -> None:
    """Nothing is left out of the sums; the others come last."""
    statuses = filled(12, 15)

    grid = Grid.of(statuses)

    assert grid.columns == (*(f"m{n:02}" for n in range(5, 12)), "5 others")
    assert grid.rows == (*(f"type_{n:02}" for n in range(6, 15)), "6 others")
    assert sum(cell.chunks for cell in grid.cells.values()) == sum(item.chunks for item in statuses)
    assert grid.cells["6 others", "5 others"].partitions == 30


@pytest.mark.parametrize(("markets", "doc_types"), [(1, 1), (3, 3), (MOST_COLUMNS, MOST_ROWS), (12, 15)])
def test_the_picture_is_a_small_png(markets: int, doc_types: int) -> None:
    """As large as its cells need, and never larger than the largest grid."""
    png = draw(Grid.of(filled(markets, doc_types)))

    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) < LARGEST_BYTES
    with Image.open(BytesIO(png)) as image:
        image.load()
        width, height = image.size
        assert 390 <= width <= 86 * MOST_COLUMNS + 300
        assert 44 * min(doc_types, MOST_ROWS) < height <= 44 * MOST_ROWS + 100
        assert image.convert("RGB").getpixel((width - 5, height - 5)) == (255, 255, 255)


@pytest.mark.parametrize("name", ["i", "m" * 64, "-" * 64, "_" * 64])
def test_names_of_any_length_can_be_drawn(name: str) -> None:
    """A long one is cut rather than widen the picture."""
    png = draw(Grid.of([status(f"{name}/{name}/A", 1)]))

    with Image.open(BytesIO(png)) as image:
        assert image.size[0] <= 400


def test_each_cell_has_its_colour() -> None:
    """Complete, nothing, nearly complete, and no chunks at all: each exactly, however few the picture's colours are."""
    statuses = [status("a/report/A", 10), status("b/report/A", 10, 10), status("c/report/A", 1000, 1)]
    shades = {colour(group(10, 0)), colour(group(10, 10)), colour(group(1000, 1)), colour(None)}

    png = draw(Grid.of([*statuses, status("a/other/A", 10)]))

    with Image.open(BytesIO(png)) as image:
        seen = image.convert("RGB").getcolors(image.size[0] * image.size[1])
    assert shades <= {f"#{red:02x}{green:02x}{blue:02x}" for _, (red, green, blue) in seen}


def test_the_same_figures_are_the_same_picture() -> None:
    """To the byte; of nothing there is one too."""
    assert draw(Grid.of(filled(3, 3))) == draw(Grid.of(filled(3, 3)))
    assert draw(Grid.of([])).startswith(b"\x89PNG")


def test_the_picture_lies_in_the_page_itself() -> None:
    """As Markdown that holds the very bytes."""
    text = as_markdown(b"\x89PNG bytes", TITLE)

    head, _, rest = text.partition("data:image/png;base64,")
    assert head == "![Coverage by doc type and market]("
    assert base64.b64decode(rest.removesuffix(")")) == b"\x89PNG bytes"


def test_only_drawing_loads_what_draws(tmp_path: Path) -> None:
    """And it leaves the user's home alone."""
    code = (
        "import sys; from vector_assets.defs.heatmap import Grid, draw; import vector_assets.defs.pictures; "
        "assert 'PIL' not in sys.modules; draw(Grid.of([])); "
        "assert 'PIL' in sys.modules; assert 'matplotlib' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], env=os.environ | {"HOME": str(tmp_path)}, check=True)

    assert not list(tmp_path.iterdir())
