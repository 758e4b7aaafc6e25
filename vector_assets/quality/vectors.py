"""Inspect the vectors of one batch, row by row: which of them no healthy embedder makes, and why.

Good vectors in the wrong order look like any others; `self_retrieval` is there for them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..domain.chunks import TokenizedText, text_hash
from ..domain.spaces import Vectors
from ..errors import BadVectors
from ..translation import marked

# Vectors are stored as float16: from here on a component becomes infinite, and up to there it becomes zero (IEEE 754).
_INFINITE = 65_520.0
_NOTHING = 2.0**-25

# Rows no further apart than this, as a share of their length, are the same vector. In float32 a text embedded with
# others was 7e-7 from itself embedded alone. The two nearest chunks of real filings with different tokens, which
# differ in one number, were 0.0046 apart; where models read much longer chunks, one number will move them less.
_SAME = 1e-5

# The components' standard deviation as a share of their root mean square. Real vectors have 0.96 to 1.
_CONSTANT = 0.1
# With fewer components than this a good vector may be nearly constant by chance.
_FEWEST_TO_JUDGE = 16


class Fault(StrEnum):
    """What is wrong with a row. A row has one: the first, in this order, that holds."""

    WRONG_DIMENSION = marked("of the wrong dimension")
    NOT_FINITE = marked("not finite")
    ZERO = marked("zero")
    NEARLY_CONSTANT = marked("nearly constant")
    WRONG_NORM = marked("of the wrong length")
    COLLAPSED = marked("another text's")


@dataclass(frozen=True)
class BadRow:
    """A row that must not be stored: its index in the batch, and one plain line with figures."""

    index: int
    fault: Fault
    message: str


@dataclass(frozen=True)
class ExpectedNorm:
    """The Euclidean length of a space's vectors, far below 65,520, and by how much a good vector's may differ."""

    length: float
    tolerance: float


UNIT_NORM = ExpectedNorm(1.0, 0.01)
"""The norm of embedders that normalize their vectors.

Measured on real filings: at most 1.4e-7 off where they do so in float32, whatever came before (bf16 or int8), 4.7e-4
where they do so in float16, and 3.6e-3 in bfloat16 (4.2e-3 with 1,024 random components).
"""


def seen_as(text: TokenizedText) -> bytes:
    """Key a text by what the model sees: its token ids, or its content hash where the embedder keeps no ids.

    Texts that differ in line breaks, letter case or unknown characters, or beyond the model's limit, have the same ids
    and rightly the same vector.
    """
    return text.ids.tobytes() or text_hash(text.text)


def inspect_rows(
    vectors: Vectors, seen: Sequence[bytes], dimension: int, norm: ExpectedNorm = UNIT_NORM
) -> list[BadRow]:
    """Give the bad rows of a batch, by index: float32 (n, dimension) with n keys that are equal for equal texts.

    Use `seen_as` for the keys. By content hashes, 3 % of the chunks of real English filings look collapsed.

    Raises:
        BadVectors: this is not a row of floats for each key, so that no single row is at fault.
    """
    found = bad_alone(vectors, len(seen), dimension, norm)
    if found and found[0].fault is Fault.WRONG_DIMENSION:
        return found
    healthy = np.setdiff1d(np.arange(len(vectors)), [bad.index for bad in found])
    of_another = collapsed(vectors[healthy], lambda row: seen[healthy[row]], norm, rows=healthy)
    return sorted(found + of_another, key=lambda bad: bad.index)


def bad_alone(vectors: Vectors, count: int, dimension: int, norm: ExpectedNorm = UNIT_NORM) -> list[BadRow]:
    """Give the rows of float32 (count, dimension) that are bad whatever the other rows are, by index.

    Raises:
        BadVectors: these are not `count` rows of floats.
    """
    if vectors.ndim != 2 or len(vectors) != count:
        raise BadVectors(f"shape {vectors.shape} instead of {(count, dimension)}")
    if vectors.dtype.kind != "f":
        raise BadVectors(f"{vectors.dtype} instead of float32")
    if vectors.shape[1] != dimension:
        message = f"{vectors.shape[1]:,} components instead of {dimension:,}"
        return [BadRow(row, Fault.WRONG_DIMENSION, message) for row in range(len(vectors))]
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
        # A row that is not finite, or zero, does not have the expected length either; `_judged` finds out which it is.
        good = (squares >= (norm.length - norm.tolerance) ** 2) & (squares <= (norm.length + norm.tolerance) ** 2)
        if dimension >= _FEWEST_TO_JUDGE:
            sums = vectors @ _ones(dimension)
            good &= squares - sums**2 / dimension >= _CONSTANT**2 * squares
    return [_judged(int(row), vectors[row], norm) for row in np.flatnonzero(~good)]


def collapsed(
    vectors: Vectors,
    seen: Callable[[int], bytes],
    norm: ExpectedNorm = UNIT_NORM,
    *,
    rows: NDArray[np.intp] | None = None,
) -> list[BadRow]:
    """Give the rows whose vector a row with another text has too; `rows` are the numbers to report for them.

    `seen` gives the key of a row's text; it is asked for few rows.
    Rows are compared with their neighbours in the order of their projections on one direction: equal rows are
    neighbours there, whichever way the last bits were rounded, and nothing grows with the square of the batch.
    """
    order = np.argsort(vectors @ _direction(vectors.shape[1]), kind="stable")
    steps = np.diff(vectors[order], axis=0)
    near = np.flatnonzero(np.einsum("ij,ij->i", steps, steps) <= (_SAME * norm.length) ** 2)
    if not len(near):
        return []
    numbers = np.arange(len(vectors)) if rows is None else rows
    found = []
    for run in np.split(near, np.flatnonzero(np.diff(near) > 1) + 1):
        group = [int(row) for row in order[run[0] : run[-1] + 2]]
        first = group[0]
        other = next((row for row in group if seen(row) != seen(first)), None)
        if other is not None:
            twins = [(row, other if seen(row) == seen(first) else first) for row in group]
            found += [_collapsed_row(int(numbers[row]), int(numbers[twin])) for row, twin in twins]
    return found


def _judged(index: int, vector: NDArray[np.float32], norm: ExpectedNorm) -> BadRow:
    """Find the fault of a row that has one."""
    infinite = np.flatnonzero(~(np.abs(vector) < _INFINITE))
    if len(infinite):
        what = f"component {infinite[0]:,} is {vector[infinite[0]]:.6g}"
        more = f"; {len(infinite):,} of {len(vector):,} are not finite as float16"
        return BadRow(index, Fault.NOT_FINITE, what + more)
    largest = float(np.abs(vector).max())
    if largest <= _NOTHING:
        return BadRow(index, Fault.ZERO, f"all components are 0 as float16; the largest is {largest:.3g}")
    wide = vector.astype(np.float64)
    if len(vector) >= _FEWEST_TO_JUDGE and wide.std() < _CONSTANT * np.sqrt((wide**2).mean()):
        what = f"all {len(vector):,} components are about {wide.mean():.4g}"
        return BadRow(index, Fault.NEARLY_CONSTANT, f"{what}; they vary by {wide.std():.2g}")
    length = float(np.linalg.norm(wide))
    usual = f"vectors of this space have {norm.length:g} ± {norm.tolerance:g}"
    return BadRow(index, Fault.WRONG_NORM, f"length {length:.6g}; {usual}")


def _collapsed_row(index: int, twin: int) -> BadRow:
    return BadRow(index, Fault.COLLAPSED, f"the same vector as row {twin:,}, whose text is another")


@lru_cache(maxsize=8)
def _ones(dimension: int) -> NDArray[np.float32]:
    return np.ones(dimension, np.float32)


@lru_cache(maxsize=8)
def _direction(dimension: int) -> NDArray[np.float32]:
    """Any direction that no model prefers; always the same one."""
    return np.random.default_rng(0).normal(size=dimension).astype(np.float32)
