"""The picture of a run: what is written in it, what is drawn, and that it is a small PNG whatever the run was like."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageColor

from vector_assets.defs.canvas import Canvas
from vector_assets.defs.pictures import (
    component_name,
    roomy,
    run_picture,
    span,
    speed_text,
    speeds,
    ticks,
    time_unit,
    vectors_caption,
)
from vector_assets.domain.reports import StageSeconds, VectorizeReport
from vector_assets.domain.spaces import Vectors
from vector_assets.quality.distribution import Distribution
from vector_assets.quality.token_lengths import TokenLengths
from vector_assets_tests.quality.vector_rows import unit_rows

LARGEST_BYTES = 15_000
BLUE, ORANGE, RED, PALE = "#4575b4", "#fc8d59", "#d73027", "#dbe6f2"

Course = Sequence[tuple[float, int]]


def made(vectors: Vectors, lengths: Sequence[int]) -> Distribution:
    distribution = Distribution(vectors.shape[1])
    distribution.add(np.arange(len(vectors)), vectors, lengths)
    return distribution


def spread(count: int) -> Distribution:
    """Vectors that have directions, and texts of 20 to 400 tokens."""
    rows = unit_rows(count) * np.linspace(3, 0.1, 384, dtype=np.float32)
    return made(rows, np.linspace(20, 400, count).astype(int).tolist())


def report(course: Course) -> VectorizeReport:
    seconds, chunks = course[-1] if course else (0.0, 0)
    return VectorizeReport(
        "run", chunks, len(course), chunks, 0, 0, 0, 0, 0, 0, 0, seconds, StageSeconds(), course=course
    )


def steady(batches: int, seconds: float, size: int = 32) -> Course:
    return tuple((seconds * (number + 1) / batches, size * (number + 1)) for number in range(batches))


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


def pixels(image: Image.Image, colour: str, panel: int) -> int:
    """How many of this very colour are in a third of the picture."""
    third = image.size[0] // 3
    box = image.crop((panel * third, 0, (panel + 1) * third, image.size[1]))
    return {shade: count for count, shade in box.getcolors(1 << 20)}.get(ImageColor.getrgb(colour), 0)


@pytest.mark.parametrize(
    ("greatest", "written"),
    [
        (1, "0 0.2 0.4 0.6 0.8 1.0"),
        (0.2, "0 0.05 0.10 0.15 0.20"),
        (0.0031, "0 0.001 0.002 0.003"),
        (10, "0 2 4 6 8 10"),
        (237, "0 50 100 150 200"),
        (999, "0 200 400 600 800"),
        (4194, "0 1,000 2,000 3,000 4,000"),
        (41_940, "0 10k 20k 30k 40k"),
        (9_000_000, "0 2M 4M 6M 8M"),
        (600_000, "0 200k 400k 600k"),
    ],
)
def test_an_axis_has_few_round_values(greatest: float, written: str) -> None:
    """From 0 on, and none above what is drawn."""
    marks = ticks(greatest)

    assert [text for _, text in marks] == written.split()
    assert all(0 <= value <= greatest * 1.000001 for value, _ in marks)


@pytest.mark.parametrize("greatest", [1, 2, 3, 7])
def test_chunks_are_counted_in_whole_numbers(greatest: int) -> None:
    """There is no half of one."""
    assert all(value == int(value) and text == str(int(value)) for value, text in ticks(greatest, whole=True))


def test_there_are_marks_for_any_size() -> None:
    """Between two and six of them, from microseconds to a year."""
    for greatest in np.geomspace(1e-6, 1e9, 500).tolist():
        assert 2 <= len(ticks(greatest)) <= 6


def test_marks_that_would_touch_are_thinned_out_evenly() -> None:
    """The first always stays."""
    marks = [(20.0 * number, str(number), 30.0) for number in range(7)]

    assert [text for _, text in roomy(marks)] == ["0", "2", "4", "6"]
    assert len(roomy([(60 * at, text, width) for at, text, width in marks])) == 7
    assert roomy([(0, "a", 500.0), (1, "b", 500.0)]) == [(0, "a")]
    assert roomy([]) == []


def test_the_axes_say_how_much_of_the_spread_they_show() -> None:
    """In whole percent."""
    assert component_name(1, 0.1234) == "1st component, 12% of the spread"
    assert component_name(2, 0.049) == "2nd component, 5%"


@pytest.mark.parametrize(
    ("shown", "count", "words"),
    [(0, 0, "none"), (1, 1, "a single one"), (120, 120, "all 120, laid flat"), (200, 4194, "200 of 4,194, laid flat")],
)
def test_the_caption_says_how_many_are_drawn(shown: int, count: int, words: str) -> None:
    """Of all that the run has made."""
    assert vectors_caption(shown, count) == words


def test_lengths_are_shown_from_the_shortest_to_the_longest() -> None:
    """By the bins' bounds; empty ones between them stay."""
    assert span(TokenLengths.of([100, 200, 200]), None).bounds == ("96", "128", "160", "192", "224")
    assert span(TokenLengths.of([9000, 2000]), None).bounds == ("1024", "2048", "4096", "8192", "more")
    assert span(TokenLengths(), 256) is None


@pytest.mark.parametrize(
    ("tokens", "bounds"), [(200, "160 192 224 256"), (3, "0 8 16"), (9999, "4096 8192 more"), (8, "0 8 16")]
)
def test_a_single_bar_has_room_beside_it(tokens: int, bounds: str) -> None:
    """Else it would fill the plot."""
    assert span(TokenLengths.of([tokens]), None).bounds == tuple(bounds.split())


def test_the_limit_is_shown_where_it_is_near() -> None:
    """Below the texts always, for then all are cut; far above them it would only squeeze the bars."""
    lengths = TokenLengths.of([150, 180, 220])

    assert (near := span(lengths, 256)).bounds[-1] == "256"
    assert near.place(256) == near.bins
    assert span(lengths, 240).place(240) == pytest.approx(3.5)
    assert (below := span(lengths, 64)).bounds[0] == "32"
    assert below.place(64) == 1
    assert (far := span(lengths, 8192)).bounds[-1] == "224"
    assert far.place(8192) is None
    assert span(TokenLengths.of([9000, 20]), 32_768).place(32_768) is None


@pytest.mark.parametrize("batches", [1, 2, 3, 39, 40, 41, 500])
def test_a_steady_run_has_one_speed(batches: int) -> None:
    """In no more parts than batches, and in forty at most."""
    seconds, steps = speeds(steady(batches, 0.2))

    assert seconds == pytest.approx(0.2)
    assert len(steps) == min(batches, 40)
    assert steps == pytest.approx([batches * 32 / 0.2] * len(steps))


def test_the_area_below_the_speeds_is_the_chunks() -> None:
    """Two batches that end at nearly the same moment are no peak, nor does a clock that stands still matter."""
    course = [(1.0, 32), (1.000001, 64), (2.5, 96), (2.5, 128), (10.0, 160)]

    seconds, steps = speeds(course)

    assert sum(steps) * seconds / len(steps) == pytest.approx(160)
    assert max(steps) < 100


def test_a_run_that_took_no_time_has_no_speed() -> None:
    """Nor has one without batches."""
    assert speeds([]) == (0.0, [])
    assert speeds([(0.0, 32)]) == (0.0, [])


@pytest.mark.parametrize(
    ("seconds", "unit"), [(0.2, (1, "seconds")), (179, (1, "seconds")), (1800, (60, "minutes")), (2e4, (3600, "hours"))]
)
def test_time_is_told_in_a_fitting_unit(seconds: float, unit: tuple[int, str]) -> None:
    """Thirty minutes are not 1,800 seconds."""
    assert time_unit(seconds) == unit


@pytest.mark.parametrize(
    ("speed", "text"), [(1234.5, "1,234"), (12.34, "12"), (2.36, "2.4"), (0.0312, "0.031"), (0, "0")]
)
def test_a_speed_has_the_digits_that_matter(speed: float, text: str) -> None:
    """Whole numbers from ten on."""
    assert speed_text(speed) == text


@pytest.mark.parametrize(
    ("distribution", "course"),
    [
        pytest.param(spread(1), steady(1, 0.2), id="one chunk"),
        pytest.param(spread(2), steady(2, 0.2), id="two chunks"),
        pytest.param(spread(41), steady(2, 0.2), id="some"),
        pytest.param(spread(1000), steady(500, 1800), id="many"),
        pytest.param(made(np.tile(unit_rows(1), (50, 1)), [7] * 50), steady(2, 0.2), id="equal vectors"),
        pytest.param(made(np.ones((5, 1), np.float32), [9000] * 5), steady(3, 40_000), id="one component"),
    ],
)
@pytest.mark.parametrize("limit", [None, 256, 8192])
def test_the_picture_is_a_small_png(distribution: Distribution, course: Course, limit: int | None) -> None:
    """Of one size and few colours, on a light ground; there is something in every panel."""
    png = run_picture(distribution, report(course), limit)

    assert len(png) < LARGEST_BYTES
    with Image.open(BytesIO(png)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", (900, 264))
    shown = opened(png)
    assert len(shown.getcolors()) <= 40
    assert shown.getpixel((5, 5)) == (255, 255, 255)
    assert shown.getpixel((0, 100)) == ImageColor.getrgb("#d0d7de")
    ground = shown.crop((37, 61, 277, 215)).getcolors()
    assert max(count for count, _ in ground) < 240 * 154
    assert pixels(shown, BLUE, 1) + pixels(shown, ORANGE, 1) > 20
    assert pixels(shown, PALE, 2) > 1000


def test_a_run_that_made_nothing_has_a_picture() -> None:
    """It says so, and nothing is drawn."""
    shown = opened(run_picture(made(unit_rows(0), []), report([]), 256))

    assert not any(pixels(shown, colour, panel) for colour in (BLUE, ORANGE, RED, PALE) for panel in range(3))


def test_what_the_model_cannot_read_stands_out() -> None:
    """Beyond its limit, a line, the bars are of another colour."""
    cut = opened(run_picture(spread(300), report(steady(9, 3)), 256))
    whole = opened(run_picture(spread(300), report(steady(9, 3)), 512))
    unknown = opened(run_picture(spread(300), report(steady(9, 3))))

    assert pixels(cut, RED, 1) > 200
    assert pixels(cut, ORANGE, 1) > 1000
    assert pixels(whole, RED, 1) > 200
    assert not pixels(whole, ORANGE, 1)
    assert not pixels(unknown, RED, 1)


def test_vectors_that_differ_are_drawn_apart() -> None:
    """Two lie at the left and the right end, on one height."""
    shown = opened(run_picture(spread(2), report(steady(1, 1))))

    plot = shown.crop((38, 62, 276, 214))
    dark = np.argwhere((np.asarray(plot) == ImageColor.getrgb(BLUE)).all(axis=2))
    assert dark[:, 1].min() < 20
    assert dark[:, 1].max() > 218
    assert np.ptp(dark[:, 0]) < 12


def test_the_same_run_has_the_same_picture() -> None:
    """To the byte, whatever the order of its batches."""
    rows, order = unit_rows(300), np.random.default_rng(0).permutation(300)
    shuffled = Distribution(384)
    for part in np.split(order, 6):
        shuffled.add(part, rows[part], [150] * len(part))

    first = run_picture(made(rows, [150] * 300), report(steady(9, 3)), 256)

    assert first == run_picture(made(rows, [150] * 300), report(steady(9, 3)), 256)
    assert first == run_picture(shuffled, report(steady(9, 3)), 256)


def test_words_are_cut_to_what_has_room() -> None:
    """And stay as they are where they fit."""
    canvas = Canvas(10, 10)

    assert canvas.fitting("short", 13, 100) == "short"
    cut = canvas.fitting("x" * 64, 13, 100)
    assert cut.endswith("x…")
    assert 90 < canvas.text_width(cut, 13) <= 100


def test_shapes_touch_without_overlap() -> None:
    """Up to their bounds; one that is thinner than a pixel still shows."""
    canvas = Canvas(20, 20)
    canvas.rectangle(2, 2, 10, 10, BLUE)
    canvas.rectangle(10, 2, 18, 10, RED)
    canvas.rectangle(2, 12, 18, 12, BLUE)

    shown = opened(canvas.png())

    assert [shown.getpixel((x, 5)) for x in (2, 9)] == [ImageColor.getrgb(BLUE)] * 2
    assert [shown.getpixel((x, 5)) for x in (10, 17)] == [ImageColor.getrgb(RED)] * 2
    assert shown.getpixel((18, 5)) == (255, 255, 255)
    assert shown.getpixel((5, 12)) != (255, 255, 255)
