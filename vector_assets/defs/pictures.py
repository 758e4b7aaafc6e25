"""A run over a partition as a picture: its vectors laid flat, the lengths of its texts, and its speed over time."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..domain.reports import VectorizeReport
from ..domain.spaces import Vectors
from ..quality.distribution import Distribution
from ..quality.projection import project
from ..quality.token_lengths import BINS, TokenLengths
from .canvas import MUTED, Canvas

TITLE = "vectors, token lengths and throughput of the run"

# The sample's rows come in a random order, so the first ones are a sample too. It takes 7 ms of a core to lay so many
# flat and 50 for all 1,000; the rest of the picture takes 8.
_DOTS = 200

# Up to so many are drawn larger and not as if of glass, for they seldom lie on one another.
_FEW = 40

# Intervals in which the speed is told: narrower ones show how batches happen to end.
_STEPS = 40

# Bins beyond the longest text that are shown for the sake of the model's limit.
_MOST_EMPTY_BINS = 3

_BLUE, _PALE, _DOT, _RED, _ORANGE = "#4575b4", "#dbe6f2", "#4575b48c", "#d73027", "#fc8d59"
_GRID, _AXIS = "#eaeef2", "#afb8c1"

# Pixels.
_WIDTH, _HEIGHT = 900, 264
_TOP, _BOTTOM, _PANEL_WIDTH = 60, 216, 242
_LEFTS = (36, 338, 634)
_TITLE, _SMALL = 16, 12


def run_picture(distribution: Distribution, report: VectorizeReport, limit: int | None = None) -> bytes:
    """A PNG of at most 15 kB; `limit` is how many tokens the model reads."""
    canvas = Canvas(_WIDTH, _HEIGHT)
    flat, lengths, speed = (_Panel(canvas, left) for left in _LEFTS)
    _draw_vectors(flat, distribution.sample.vectors[:_DOTS], distribution.summary.moments.count)
    _draw_lengths(lengths, distribution.summary.lengths, limit)
    _draw_speed(speed, report)
    return canvas.png()


class _Panel(NamedTuple):
    """A third of the card: a title, a caption, and below them a plot."""

    canvas: Canvas
    left: float

    @property
    def right(self) -> float:
        return self.left + _PANEL_WIDTH

    @property
    def centre(self) -> float:
        return self.left + _PANEL_WIDTH / 2

    def head(self, title: str, caption: str) -> None:
        self.canvas.text(self.left, 21, title, _TITLE)
        self.canvas.text(self.left, 41, caption, _SMALL, MUTED)

    def nothing(self, why: str) -> None:
        self.canvas.text(self.centre, (_TOP + _BOTTOM) / 2, why, _SMALL, MUTED, "m")

    def scale(self, greatest: float, whole: bool = False) -> float:
        """Lines across at round values from 0 on, and pixels per unit of what is drawn upwards."""
        unit = (_BOTTOM - _TOP) / (greatest * 1.04)
        for value, text in ticks(greatest, whole=whole):
            y = _BOTTOM - value * unit
            self.canvas.rectangle(self.left, round(y), self.right, round(y) + 1, _GRID)
            self.canvas.text(self.left - 7, y, text, _SMALL, MUTED, "r")
        return unit

    def foot(self, marks: Sequence[tuple[float, str]], name: str) -> None:
        """The axis below, with the marks that have room, at pixels from the left."""
        self.canvas.rectangle(self.left, _BOTTOM, self.right, _BOTTOM + 1, _AXIS)
        for x, text in roomy([(x, text, self.canvas.text_width(text, _SMALL)) for x, text in marks]):
            self.canvas.rectangle(round(self.left + x), _BOTTOM, round(self.left + x) + 1, _BOTTOM + 4, _AXIS)
            self.canvas.text(self.left + x, _BOTTOM + 12, text, _SMALL, MUTED, "m")
        self.canvas.text(self.centre, _BOTTOM + 32, name, _SMALL, MUTED, "m")


def ticks(greatest: float, most: int = 5, whole: bool = False) -> list[tuple[float, str]]:
    """At most so many round values above 0 and up to the greatest, 0 first, and what is written there.

    They are 1, 2 or 5 times a power of ten apart; `whole` ones at least 1.
    """
    least = max(greatest, 1e-9) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= least * (1 - 1e-9))
    step = max(step, 1.0) if whole else step
    decimals = max(-math.floor(math.log10(step) + 1e-9), 0)
    values = [number * step for number in range(math.floor(greatest / step * (1 + 1e-9)) + 1)]
    return [(value, _number(value, decimals)) for value in values]


def _number(value: float, decimals: int) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:,.{decimals if value else 0}f}"


def roomy(marks: Sequence[tuple[float, str, float]]) -> list[tuple[float, str]]:
    """Every mark (middle, text, width), or every second, and so on, so that no two of them touch."""
    for stride in range(1, len(marks)):
        shown = marks[::stride]
        if all(b[0] - a[0] >= (a[2] + b[2]) / 2 + 6 for a, b in pairwise(shown)):
            return [(middle, text) for middle, text, _ in shown]
    return [(middle, text) for middle, text, _ in marks[:1]]


def component_name(number: int, share: float) -> str:
    """`1st component, 12% of the spread`; of the second, which stands upright, less."""
    return f"1st component, {share:.0%} of the spread" if number == 1 else f"2nd component, {share:.0%}"


def vectors_caption(shown: int, count: int) -> str:
    """How many are drawn of those that the run has made."""
    if count < 2:
        return "a single one" if count else "none"
    return f"all {count:,}, laid flat" if shown == count else f"{shown:,} of {count:,}, laid flat"


def _draw_vectors(panel: _Panel, vectors: Vectors, count: int) -> None:
    panel.head("Vectors", vectors_caption(len(vectors), count))
    canvas, middle = panel.canvas, (_TOP + _BOTTOM) / 2
    canvas.frame(panel.left, _TOP, panel.right, _BOTTOM + 1, _GRID)
    if not len(vectors):
        panel.nothing("no vectors")
        return
    flat = project(vectors)
    points = flat.points.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    # What float32 cannot hold is rounding: those are equal, and have no directions.
    if float((high - low).max()) <= 1e-5 * float(np.linalg.norm(vectors[0])):
        canvas.dots([(panel.centre, middle)], 4, _BLUE)
        canvas.text(panel.centre, middle + 20, "all equal" if count > 1 else "", _SMALL, MUTED, "m")
        return
    # One scale for both, so that near is near.
    room = np.array([_PANEL_WIDTH - 20, _BOTTOM - _TOP - 20])
    unit = float((room / np.maximum(high - low, 1e-12)).min())
    offsets = (points - (low + high) / 2) * unit * (1, -1)
    size, ink = (3.5, _BLUE) if len(vectors) <= _FEW else (2.5, _DOT)
    canvas.dots([(panel.centre + x, middle + y) for x, y in offsets.tolist()], size, ink)
    canvas.text(panel.centre, _BOTTOM + 14, component_name(1, flat.shares[0]), _SMALL, MUTED, "m")
    canvas.upright(panel.left - 13, middle, component_name(2, flat.shares[1]), _SMALL, MUTED)


# The greatest length in each bin; of the last none.
_END = [*(float(name.rsplit("-", 1)[1]) for name in BINS[:-1]), math.inf]


class Span(NamedTuple):
    """The bins from the first to the last, and their bounds in tokens: one more than bins, the last may be `more`."""

    first: int
    last: int
    bounds: tuple[str, ...]

    @property
    def bins(self) -> int:
        """How many there are."""
        return self.last - self.first + 1

    def place(self, tokens: int) -> float | None:
        """Where so many tokens lie, in bins from the left; None: outside."""
        for at in range(self.bins):
            low, high = int(self.bounds[at]), _END[self.first + at]
            if low <= tokens <= high < math.inf:
                return at + (tokens - low) / (high - low)
        return None


def span(lengths: TokenLengths, limit: int | None) -> Span | None:
    """From the shortest text to the longest, and to the model's limit unless that is far above; None: no texts."""
    there = [at for at, count in enumerate(lengths.counts) if count]
    if not there:
        return None
    first, last = there[0], there[-1]
    if limit is not None:
        of_limit = next(at for at, end in enumerate(_END) if limit <= end)
        first = min(first, of_limit)
        last = max(last, of_limit) if of_limit <= last + _MOST_EMPTY_BINS else last
    if last - first < 2:  # two bars or one, with room on both sides
        first, last = max(first - 1, 0), min(last + 1, len(BINS) - 1)
    bounds = [0.0, *_END][first : last + 2]
    return Span(first, last, tuple("more" if math.isinf(bound) else f"{bound:.0f}" for bound in bounds))


def _draw_lengths(panel: _Panel, lengths: TokenLengths, limit: int | None) -> None:
    reads = f"; the model reads {limit:,}" if limit is not None else ""
    panel.head("Token lengths", f"chunks by their tokens{reads}")
    shown = span(lengths, limit)
    if shown is None:
        panel.nothing("no texts")
        return
    counts = lengths.counts[shown.first : shown.last + 1]
    unit, width = panel.scale(max(counts), whole=True), _PANEL_WIDTH / shown.bins
    edge = None if limit is None else shown.place(limit)
    for at, count in enumerate(counts):
        if count:
            left = panel.left + at * width
            ink = _ORANGE if edge is not None and at >= edge else _BLUE
            top = min(_BOTTOM - count * unit, _BOTTOM - 1)
            panel.canvas.rectangle(round(left) + 1, top, round(left + width) - 1, _BOTTOM, ink)
    panel.foot([(at * width, bound) for at, bound in enumerate(shown.bounds)], "tokens")
    if edge is not None:
        x = round(panel.left + edge * width)
        panel.canvas.rectangle(x - 1, _TOP - 4, x + 1, _BOTTOM, _RED)


def speeds(course: Sequence[tuple[float, int]]) -> tuple[float, list[float]]:
    """How long the run took in seconds, and its chunks per second in equal parts of that; none if it took no time.

    Between two batches chunks are taken to have come evenly. There are no more parts than batches.
    """
    seconds = np.maximum.accumulate([0.0, *(at for at, _ in course)])
    if seconds[-1] <= 0:
        return 0.0, []
    bounds = np.linspace(0, seconds[-1], min(len(course), _STEPS) + 1)
    done = np.interp(bounds, seconds, [0, *(chunks for _, chunks in course)])
    return float(seconds[-1]), (np.diff(done) / np.diff(bounds)).tolist()


def time_unit(seconds: float) -> tuple[float, str]:
    """In which the axis of so long a run is told: how many seconds it has, and its name."""
    if seconds < 180:
        return 1, "seconds"
    return (60, "minutes") if seconds < 3 * 3600 else (3600, "hours")


def speed_text(chunks_per_second: float) -> str:
    """`138`, `2.4`, `0.031`: as many digits as matter."""
    return f"{chunks_per_second:,.0f}" if chunks_per_second >= 10 else f"{chunks_per_second:.2g}"


def _draw_speed(panel: _Panel, report: VectorizeReport) -> None:
    seconds, steps = speeds(report.course)
    panel.head("Throughput", f"chunks per second, {speed_text(report.chunks_per_second)} on average")
    if not steps or max(steps) <= 0:
        panel.nothing("too short to tell")
        return
    unit, width = panel.scale(max(steps)), _PANEL_WIDTH / len(steps)
    outline = []
    for at, speed in enumerate(steps):
        left, right, y = panel.left + at * width, panel.left + (at + 1) * width, _BOTTOM - speed * unit
        panel.canvas.rectangle(left, y, right, _BOTTOM, _PALE)
        outline += [(left, y), (right, y)]
    panel.canvas.line(outline, _BLUE, 2)
    size, name = time_unit(seconds)
    panel.foot([(at * size / seconds * _PANEL_WIDTH, text) for at, text in ticks(seconds / size)], name)
