"""Rounds a matrix of weights to 8 bits so that what it makes of real inputs changes least.

Column by column, each rounding's error is made up for by the columns still to come, weighted by how the inputs go
together: GPTQ (Frantar et al. 2022, arXiv:2210.17323). Inputs whose channels differ much in size are evened out
against the weights before: SmoothQuant (Xiao et al. 2022, arXiv:2211.10438).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_STEPS = 127  # of 8 bits with a sign, without the -128 that has no counterpart

# Added to the inputs' second moments, as a part of their mean: without it, channels that are never used, or go
# together always, could not be inverted. GPTQ takes 0.01; with the few texts there are here, 0.05 came out nearer.
_DAMPING = 0.05

# Columns whose errors are passed on together: enough for products of matrices instead of vectors.
_BLOCK = 128

# How much of the inputs' unevenness the weights take over, SmoothQuant's alpha.
_SMOOTHING = 0.55


@dataclass(frozen=True)
class InputStatistics:
    """What a matrix of weights is given on calibration texts: `moments` (inputs, inputs) and `peaks` (inputs,)."""

    moments: Matrix
    peaks: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> "InputStatistics":
        """Of inputs, a row each."""
        return cls((rows.T @ rows).astype(np.float64), np.abs(rows).max(axis=0).astype(np.float64))

    def __add__(self, other: "InputStatistics") -> "InputStatistics":
        return InputStatistics(self.moments + other.moments, np.maximum(self.peaks, other.peaks))


@dataclass(frozen=True)
class RoundedWeights:
    """`steps` (outputs, inputs) as int8; times `scales` (outputs, 1) they are the weights."""

    steps: NDArray[np.int8]
    scales: NDArray[np.float32]


def smoothing(weights: list[Matrix], inputs: InputStatistics) -> NDArray[np.float64]:
    """Divisors (inputs,) of the input channels that all of the weights share, with a geometric mean of 1."""
    largest = np.max([np.abs(matrix).max(axis=0) for matrix in weights], axis=0)
    tiny = np.finfo(np.float32).tiny
    divisors = np.maximum(inputs.peaks, tiny) ** _SMOOTHING / np.maximum(largest, tiny) ** (1 - _SMOOTHING)
    even: NDArray[np.float64] = np.clip(divisors / np.exp(np.log(divisors).mean()), 1e-3, 1e3)
    return even


def round_weights(weights: Matrix, moments: Matrix) -> RoundedWeights:
    """Round weights (outputs, inputs) for inputs with these second moments; one scale an output.

    Raises:
        numpy.linalg.LinAlgError: the moments are not those of finite inputs.
    """
    scales = np.maximum(np.abs(weights).max(axis=1), np.finfo(np.float32).tiny) / _STEPS
    order = np.argsort(-np.diag(moments), kind="stable")  # the strongest inputs first: their errors find most takers
    passing_on = _passing_on(moments[np.ix_(order, order)])
    left = (weights / scales[:, None]).T[order]  # a row an input, in steps
    steps = np.empty_like(left)
    for start in range(0, len(left), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(left)))
        errors = _round_block(left[block], passing_on[block, block], steps[block])
        left[block.stop :] -= passing_on[block, block.stop :].T @ errors
    rounded = np.empty(weights.shape, dtype=np.int8)
    rounded[:, order] = steps.T
    return RoundedWeights(rounded, scales[:, None].astype(np.float32))


def _passing_on(moments: Matrix) -> Matrix:
    """The upper factor of the damped moments' inverse: row by row, where an input's rounding error goes."""
    damping = _DAMPING * np.diag(moments).mean() or 1.0
    inverse = np.linalg.inv(moments + damping * np.eye(len(moments)))
    return np.asarray(np.linalg.cholesky((inverse + inverse.T) / 2).T)


def _round_block(left: Matrix, passing_on: Matrix, steps: Matrix) -> Matrix:
    """Fill `steps`; give the errors in units of what is passed on. Both have a row an input."""
    errors = np.empty_like(left)
    for row in range(len(left)):
        steps[row] = np.clip(np.rint(left[row]), -_STEPS, _STEPS)
        errors[row] = (left[row] - steps[row]) / passing_on[row, row]
        left[row + 1 :] -= np.outer(passing_on[row, row + 1 :], errors[row])
    return errors
