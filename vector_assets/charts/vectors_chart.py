"""Draw the vectors of a run: a projection of a sample of them, and a histogram of their texts' token lengths."""

import math
from typing import TYPE_CHECKING

import numpy as np

from ..domain.spaces import Vectors
from ..quality.distribution import Distribution
from ..quality.projection import project
from ..quality.token_lengths import TokenLengths
from .figure import MUTED, SMALL_SIZE, TITLE_SIZE, as_png, chart_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Importing matplotlib takes 0.4 s of a core, the first chart of a process 0.2 s and each further one 0.1 s (2 shared
# cores, Python 3.11): 0.5 % of so long a run, and 0.1 % for each further partition of a range.
MIN_RUN_SECONDS = 120.0

TITLE = "A sample of the run's vectors, and the token lengths of their texts"

_BLUE, _ORANGE, _RED = "#4575b4", "#fc8d59", "#d73027"

# Pixels, and shares of them: left, bottom, width, height of the two plots.
_WIDTH, _HEIGHT = 720, 288
_PROJECTION_PLACE = (0.05, 0.155, 0.415, 0.61)
_LENGTHS_PLACE = (0.56, 0.155, 0.405, 0.61)

_MAX_BARS = 30


def draw_vectors_chart(distribution: Distribution, max_tokens: int) -> bytes:
    """Draw a run that stored a vector at least, as a PNG of at most 25 kB; the model reads `max_tokens` of a text."""
    with chart_style():
        figure = new_figure(_WIDTH, _HEIGHT)
        _draw_projection(figure.add_axes(_PROJECTION_PLACE), distribution.sample.vectors, distribution.summary.count)
        _draw_lengths(figure.add_axes(_LENGTHS_PLACE), distribution.token_lengths, max_tokens)
        return as_png(figure)


def _draw_projection(axes: "Axes", vectors: Vectors, count: int) -> None:
    """Draw each vector of the sample as a dot, with one scale for both axes, so that near is near."""
    projection = project(vectors)
    first, second = projection.shares
    _write_heading(axes, "Vectors", f"{len(vectors):,} of {count:,}, projected onto two principal components")
    x, y = projection.points.T
    axes.scatter(x, y, s=16, color=_BLUE, alpha=0.55, linewidths=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.spines[:].set_visible(True)
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    axes.set_xlabel(f"1st component, {first:.0%} of the spread")
    axes.set_ylabel(f"2nd component, {second:.0%}")


def _draw_lengths(axes: "Axes", lengths: TokenLengths, max_tokens: int) -> None:
    """Draw how many texts have how many tokens; bars beyond the model's limit have another colour."""
    from matplotlib.ticker import MaxNLocator

    _write_heading(axes, "Token lengths", f"Number of texts by tokens; the model reads {max_tokens:,}")
    edges, texts = histogram(lengths, max_tokens)
    colours = [_BLUE if edge < max_tokens else _ORANGE for edge in edges[:-1]]
    axes.bar(edges[:-1], texts, 0.86 * np.diff(edges), align="edge", color=colours)
    extent = edges[-1] - edges[0]
    if edges[0] - extent <= max_tokens <= edges[-1] + extent:  # a line further away would squeeze the bars
        axes.axvline(max_tokens + 0.5, color=_RED, linewidth=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
        axis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("tokens")
    axes.grid(visible=True, axis="y")
    axes.tick_params(length=0)


def histogram(lengths: TokenLengths, max_tokens: int) -> tuple[list[float], list[int]]:
    """Count the texts in at most 33 bins of equally many whole tokens: the edges, one more than bins, and the texts.

    An edge lies at the model's limit, so that no bin mixes texts that fit with texts that are truncated. The first and
    the last bin are empty, so that a single bar has room beside it.
    """
    shortest, longest = min(lengths.counts), max(lengths.counts)
    width = math.ceil((longest - shortest + 1) / _MAX_BARS)
    first, last = math.floor((shortest - 1 - max_tokens) / width), math.ceil((longest - max_tokens) / width)
    edges = max_tokens + 0.5 + width * np.arange(first - 1, last + 2)
    texts, _ = np.histogram(list(lengths.counts), edges, weights=list(lengths.counts.values()))
    return edges.tolist(), texts.tolist()


def _write_heading(axes: "Axes", title: str, caption: str) -> None:
    left = axes.get_position().x0
    axes.figure.text(left, 0.92, title, fontsize=TITLE_SIZE, va="center")
    axes.figure.text(left, 0.84, caption, color=MUTED, fontsize=SMALL_SIZE, va="center")
