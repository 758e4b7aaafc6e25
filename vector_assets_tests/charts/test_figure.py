"""What all charts share: the same look everywhere, no empty boxes, Markdown that needs no other file."""

import base64
import logging
import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from vector_assets.charts.figure import as_markdown, as_png, chart_style, drawable, new_figure, shortened, text_width

from .pictures import opened


def drawn() -> bytes:
    with chart_style():
        figure = new_figure(120, 80)
        figure.text(0.5, 0.5, "us_$1_$2")
        return as_png(figure)


def test_a_figure_is_as_large_as_it_was_asked_for() -> None:
    """In pixels, on a light background with a border."""
    image = opened(drawn())

    assert image.size == (120, 80)
    assert image.getpixel((5, 5)) == (255, 255, 255)
    assert {image.getpixel(corner) for corner in ((60, 0), (60, 79), (0, 40), (119, 40))} != {(255, 255, 255)}


def test_the_style_of_the_user_changes_nothing_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who draws in the same process has a style of their own."""
    before = drawn()
    monkeypatch.setitem(mpl.rcParams, "font.size", 33.0)
    monkeypatch.setitem(mpl.rcParams, "figure.facecolor", "black")

    after = drawn()

    assert after == before
    assert (mpl.rcParams["font.size"], mpl.rcParams["figure.facecolor"]) == (33.0, "black")


def test_a_character_that_the_font_lacks_is_no_box(caplog: pytest.LogCaptureFixture) -> None:
    """It becomes a question mark, with a warning that names it."""
    with caplog.at_level(logging.WARNING):
        shown = drawable("us_年报-é")

    assert shown == "us_??-é"
    assert "年" in caplog.text
    assert "报" in caplog.text


@pytest.mark.parametrize("name", ["i", "W" * 64, "-" * 64, "annual_report"])
def test_a_name_is_shortened_to_its_room(name: str) -> None:
    """It stays as it is where it fits."""
    shown = shortened(name, 12, 100)

    assert text_width(shown, 12) <= 100
    assert shown == name if text_width(name, 12) <= 100 else shown.endswith("…")
    assert text_width(shown, 12) > 80 or shown == name


def test_the_picture_lies_in_the_page_itself() -> None:
    """As Markdown that holds the very bytes."""
    text = as_markdown(b"\x89PNG bytes", "a title")

    head, _, rest = text.partition("data:image/png;base64,")
    assert head == "![a title]("
    assert base64.b64decode(rest.removesuffix(")")) == b"\x89PNG bytes"


def test_only_drawing_imports_matplotlib(tmp_path: Path) -> None:
    """Never its windows (pyplot): they would need a screen. `test_import_contracts.py` has what Dagster imports."""
    code = (
        "import sys; import vector_assets.charts.vectors_chart; "
        "from vector_assets.charts.coverage_heatmap import CoverageGrid, draw_heatmap; "
        "assert not {'matplotlib', 'PIL'} & set(sys.modules); draw_heatmap(CoverageGrid.of([])); "
        "assert 'matplotlib' in sys.modules; assert 'matplotlib.pyplot' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], env=os.environ | {"MPLCONFIGDIR": str(tmp_path)}, check=True)
