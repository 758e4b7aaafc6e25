"""The heat map: what is written in it, and that it is a small picture."""

import base64
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from vector_assets.coverage import GroupStatus, PartitionStatus
from vector_assets.defs.heatmap import MOST_COLUMNS, MOST_ROWS, Grid, as_markdown, colour, draw, labels
from vector_assets.domain import PartitionKey

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
    assert labels(None) == ("–", "")
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
def test_the_picture_is_a_small_png(markets: int, doc_types: int, tmp_path: Path) -> None:
    """As large as its cells need, and never larger than the largest grid."""
    png = draw(Grid.of(filled(markets, doc_types)), tmp_path)

    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(png) < LARGEST_BYTES
    with Image.open(BytesIO(png)) as image:
        image.load()
        width, height = image.size
        assert 390 <= width <= 86 * MOST_COLUMNS + 300
        assert 44 * min(doc_types, MOST_ROWS) < height <= 44 * MOST_ROWS + 100
        assert image.convert("RGB").getpixel((width - 5, height - 5)) == (255, 255, 255)


@pytest.mark.parametrize("name", ["i", "m" * 64, "-" * 64, "_" * 64])
def test_names_of_any_length_can_be_drawn(name: str, tmp_path: Path) -> None:
    """A long one is cut rather than widen the picture."""
    png = draw(Grid.of([status(f"{name}/{name}/A", 1)]), tmp_path)

    with Image.open(BytesIO(png)) as image:
        assert image.size[0] <= 400


def test_each_cell_has_its_colour(tmp_path: Path) -> None:
    """Complete in the first, nothing in the second."""
    png = draw(Grid.of([status("a/report/A", 10), status("b/report/A", 10, 10)]), tmp_path)

    with Image.open(BytesIO(png)) as image:
        pixels = image.convert("RGB")
        seen = {
            f"#{red:02x}{green:02x}{blue:02x}"
            for _, (red, green, blue) in pixels.getcolors(pixels.size[0] * pixels.size[1])
        }
    assert {colour(group(10, 0)), colour(group(10, 10))} <= seen


def test_the_picture_lies_in_the_page_itself() -> None:
    """As Markdown that holds the very bytes."""
    text = as_markdown(b"\x89PNG bytes")

    head, _, rest = text.partition("data:image/png;base64,")
    assert head == "![coverage by doc type and market]("
    assert base64.b64decode(rest.removesuffix(")")) == b"\x89PNG bytes"


def test_drawing_leaves_the_users_home_alone(tmp_path: Path) -> None:
    """Its list of fonts goes where it is told; pyplot, which keeps every figure, is not loaded."""
    home, cache = tmp_path / "user", tmp_path / "cache"
    home.mkdir()
    code = (
        "import sys; from pathlib import Path; from vector_assets.defs.heatmap import Grid, draw; "
        "assert 'matplotlib' not in sys.modules; draw(Grid.of([]), Path(sys.argv[1])); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    environment = {key: value for key, value in os.environ.items() if key not in {"MPLCONFIGDIR", "XDG_CACHE_HOME"}}

    subprocess.run([sys.executable, "-c", code, str(cache)], env=environment | {"HOME": str(home)}, check=True)

    assert list(cache.iterdir())
    assert not list(home.iterdir())
