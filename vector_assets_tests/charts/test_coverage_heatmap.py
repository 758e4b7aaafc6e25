"""The heat map: what is written in it, and that it is a small picture."""

import pytest

from vector_assets.charts.coverage_heatmap import (
    MAX_COLUMNS,
    MAX_ROWS,
    CoverageGrid,
    cell_colour,
    cell_texts,
    draw_heatmap,
)
from vector_assets.domain.coverage import GroupStatus, PartitionStatus
from vector_assets.domain.partition_keys import PartitionKey

from .pictures import opened, pixels

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
        (1_000_000, 1, ("99.9%", "1,000,000")),
        (1_000_000, 999_999, ("<0.1%", "1,000,000")),
        (100, 71, ("29.0%", "100")),
        (3, 1, ("66.6%", "3")),
        (99_999, 0, ("100%", "99,999")),
        (12_345_678, 0, ("100%", "12,345,678")),
    ],
)
def test_a_cell_shows_percent_and_chunks(chunks: int, lacking: int, written: tuple[str, str]) -> None:
    """Rounded down, so that 100% is said of nothing less; and 0% of nothing more."""
    assert cell_texts(group(chunks, lacking)) == written


def test_a_cell_without_partitions_is_no_zero() -> None:
    """Nor is it complete."""
    assert cell_texts(None) == ("–", "")
    assert cell_colour(None) not in {cell_colour(group(10, 0)), cell_colour(group(10, 10))}


def test_the_colour_of_complete_is_for_complete_cells_only() -> None:
    """As 100% is; among the others, more is never redder."""
    shades = [
        cell_colour(group(1_000_000, lacking)) for lacking in (0, 1, 20_000, 100_000, 300_000, 600_000, 1_000_000)
    ]

    assert shades[0] not in shades[1:]
    assert len(dict.fromkeys(shades)) == 6
    assert shades == sorted(shades, key=list(dict.fromkeys(shades)).index)


def test_partitions_are_added_up_by_doc_type_and_market() -> None:
    """Quarantined chunks are lacking, too."""
    grid = CoverageGrid.of(
        [
            status("us/annual_report/A", 10, 5),
            status("us/annual_report/B", 30, 1, 4),
            status("cn/announcement/600519", 7),
        ]
    )

    assert (grid.rows, grid.columns) == (("announcement", "annual_report"), ("cn", "us"))
    assert {at: cell_texts(cell) for at, cell in grid.cells.items()} == {
        ("annual_report", "us"): ("75.0%", "40"),
        ("announcement", "cn"): ("100%", "7"),
    }


def test_where_there_are_many_the_smallest_are_added_up() -> None:
    """Nothing is left out of the sums; the others come last."""
    statuses = filled(12, 15)

    grid = CoverageGrid.of(statuses)

    assert grid.columns == (*(f"m{n:02}" for n in range(5, 12)), "5 others")
    assert grid.rows == (*(f"type_{n:02}" for n in range(6, 15)), "6 others")
    assert sum(cell.chunks for cell in grid.cells.values()) == sum(item.chunks for item in statuses)
    assert grid.cells["6 others", "5 others"].partitions == 30


@pytest.mark.parametrize(("markets", "doc_types"), [(1, 1), (3, 3), (MAX_COLUMNS, MAX_ROWS), (12, 15)])
def test_the_picture_is_a_small_png(markets: int, doc_types: int) -> None:
    """As large as its cells need, and never larger than the largest grid."""
    png = draw_heatmap(CoverageGrid.of(filled(markets, doc_types)))

    width, height = opened(png).size
    assert len(png) <= LARGEST_BYTES
    assert 420 <= width <= 92 * MAX_COLUMNS + 300
    assert 46 * min(doc_types, MAX_ROWS) < height <= 46 * MAX_ROWS + 100


@pytest.mark.parametrize("name", ["i", "m" * 64, "-" * 64, "_" * 64])
def test_names_of_any_length_can_be_drawn(name: str) -> None:
    """A long one is shortened rather than widen the picture."""
    png = draw_heatmap(CoverageGrid.of([status(f"{name}/{name}/A", 1)]))

    assert opened(png).size[0] == 420


def test_each_cell_has_its_colour() -> None:
    """Complete, nothing current, nearly complete, and no partitions: no two of them look alike."""
    statuses = [status("a/report/A", 10), status("b/report/A", 10, 10), status("c/report/A", 1000, 1)]

    image = opened(draw_heatmap(CoverageGrid.of([*statuses, status("a/other/A", 10)])))

    areas = [len(pixels(image, cell_colour(cell))) for cell in (group(10, 0), group(10, 10), group(1000, 1))]
    complete, empty, nearly = areas
    assert 5000 < complete < 2 * 92 * 46
    assert 2500 < empty < 92 * 46
    assert 2500 < nearly < 92 * 46


def test_the_same_figures_are_the_same_picture() -> None:
    """To the byte; of no partitions there is one too."""
    assert draw_heatmap(CoverageGrid.of(filled(3, 3))) == draw_heatmap(CoverageGrid.of(filled(3, 3)))
    assert opened(draw_heatmap(CoverageGrid.of([]))).size[0] == 420
