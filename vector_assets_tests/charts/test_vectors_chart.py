"""The chart of a run: which texts its bars count, what stands out, and that it is a small PNG."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vector_assets.charts.vectors_chart import draw_vectors_chart, histogram
from vector_assets.domain.spaces import Vectors
from vector_assets.quality.distribution import Distribution
from vector_assets.quality.token_lengths import TokenLengths

from ..quality.vector_rows import unit_rows
from .pictures import opened, pixels

LARGEST_BYTES = 25_000
BLUE, ORANGE, RED = "#4575b4", "#fc8d59", "#d73027"


def made(vectors: Vectors, lengths: Sequence[int]) -> Distribution:
    distribution = Distribution(vectors.shape[1])
    distribution.add(range(len(vectors)), vectors, lengths)
    return distribution


def spread(count: int) -> Distribution:
    """Vectors that have directions, and texts of 20 to 400 tokens."""
    rows = unit_rows(count) * np.linspace(3, 0.1, 384, dtype=np.float32)
    return made(rows, np.linspace(20, 400, count).astype(int).tolist())


def halves(png: bytes) -> tuple[Image.Image, Image.Image]:
    """The projection, and the token lengths."""
    image = opened(png)
    width, height = image.size
    return image.crop((0, 0, width // 2, height)), image.crop((width // 2, 0, width, height))


@given(lengths=st.lists(st.integers(0, 20_000), min_size=1), limit=st.sampled_from([1, 256, 8192, 32_768]))
def test_each_text_is_in_one_bar_on_its_side_of_the_limit(lengths: list[int], limit: int) -> None:
    """There are few bars, all of one width, with room beside them."""
    edges, texts = histogram(TokenLengths.of(lengths), limit)

    assert sum(texts) == len(lengths)
    assert sum(n for edge, n in zip(edges[:-1], texts, strict=True) if edge > limit) == sum(n > limit for n in lengths)
    assert 3 <= len(texts) <= 34
    assert (texts[0], texts[-1]) == (0, 0)
    assert len(set(np.diff(edges))) == 1


@pytest.mark.parametrize(
    "distribution",
    [
        pytest.param(spread(1), id="one chunk"),
        pytest.param(spread(2), id="two chunks"),
        pytest.param(spread(1000), id="many"),
        pytest.param(made(np.tile(unit_rows(1), (50, 1)), [7] * 50), id="equal vectors"),
        pytest.param(made(np.ones((5, 1), np.float32), [9000] * 5), id="one component"),
    ],
)
@pytest.mark.parametrize("limit", [256, 8192])
def test_the_chart_is_a_small_png(distribution: Distribution, limit: int) -> None:
    """Of one size, with dots and bars in it."""
    png = draw_vectors_chart(distribution, limit)

    projection, lengths = halves(png)
    assert len(png) <= LARGEST_BYTES
    assert opened(png).size == (720, 288)
    assert len(projection.getcolors(1 << 20)) > 10
    assert len(pixels(lengths, BLUE)) + len(pixels(lengths, ORANGE)) > 200


def test_what_the_model_does_not_read_stands_out() -> None:
    """A line at its limit where texts come near it, and bars of another colour beyond."""
    _, truncated = halves(draw_vectors_chart(spread(300), 256))
    _, whole = halves(draw_vectors_chart(spread(300), 512))
    _, far = halves(draw_vectors_chart(spread(300), 8192))

    assert len(pixels(truncated, RED)) > 200
    assert len(pixels(truncated, ORANGE)) > 2000
    assert len(pixels(whole, RED)) > 200
    assert not len(pixels(whole, ORANGE))
    assert not len(pixels(far, RED))


def test_vectors_that_differ_are_drawn_apart() -> None:
    """Two lie near the left and the right end of the plot."""
    projection, _ = halves(draw_vectors_chart(spread(2), 256))

    plot = projection.crop((40, 75, 330, 240))
    columns = np.argwhere(np.asarray(plot.convert("L")) < 200)[:, 1]
    assert columns.min() < 30
    assert columns.max() > 260
    assert not ((columns > 40) & (columns < 250)).any()


def test_the_same_run_has_the_same_chart() -> None:
    """To the byte, whatever the order of its batches."""
    rows, order = unit_rows(300), np.random.default_rng(0).permutation(300)
    shuffled = Distribution(384)
    for batch in np.split(order, 6):
        shuffled.add(batch, rows[batch], [150] * len(batch))

    first = draw_vectors_chart(made(rows, [150] * 300), 256)

    assert first == draw_vectors_chart(shuffled, 256)
