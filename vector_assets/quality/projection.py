"""Project vectors onto two dimensions, to draw them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..domain.spaces import Vectors


@dataclass(frozen=True, eq=False)
class Projection:
    """The projected vectors: `points`, float32 (n, 2), and `shares`, how much of the spread each of the axes has.

    The axes are the principal components of these very vectors: the points of two projections do not compare.
    """

    points: NDArray[np.float32]
    shares: tuple[float, float]


def project(vectors: Vectors) -> Projection:
    """Compute the first two principal components of finite vectors (n, dimension).

    The sign of an axis is free: its component of greatest size is made positive, so that the same vectors always give
    the same picture. Directions that do not exist, of one vector or of equal ones, are 0.
    """
    points, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    if len(vectors):
        centred = vectors.astype(np.float64)
        centred -= centred.mean(axis=0)
        # Of few vectors with many components the inner products take a quarter of the time of singular values.
        squares, left = np.linalg.eigh(centred @ centred.T)
        squares, left = np.maximum(squares[:-3:-1], 0), left[:, :-3:-1]
        axes = centred.T @ left
        greatest = np.abs(axes).argmax(axis=0)
        signs = np.where(axes[greatest, np.arange(len(squares))] < 0, -1.0, 1.0)
        points[:, : len(squares)] = left * np.sqrt(squares) * signs
        shares[: len(squares)] = squares / max(float((centred**2).sum()), np.finfo(np.float64).tiny)
    return Projection(points.astype(np.float32), (float(shares[0]), float(shares[1])))
