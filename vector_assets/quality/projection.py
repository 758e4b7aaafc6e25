"""Two-dimensional projections of vectors, to be drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..domain.spaces import Vectors


@dataclass(frozen=True, eq=False)
class Projection:
    """`points`, float32 (n, 2), in the order of the vectors, and the share of their spread along each of the two axes.

    The axes are the vectors' own: two projections do not lie on one another.
    """

    points: NDArray[np.float32]
    shares: tuple[float, float]


def project(vectors: Vectors) -> Projection:
    """Principal components of finite vectors (n, dimension), by the inner products of what is left without the mean.

    The sign of an axis is free: here its component of greatest size is positive, so that the same vectors always give
    the same picture. Directions that do not exist, of one vector or of equal ones, are 0.
    """
    points, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    if len(vectors):
        centred = vectors.astype(np.float64)
        centred -= centred.mean(axis=0)
        # Of few vectors with many components these take a quarter of the time that the singular values take.
        squares, left = np.linalg.eigh(centred @ centred.T)
        squares, left = np.maximum(squares[:-3:-1], 0), left[:, :-3:-1]
        axes = centred.T @ left
        greatest = np.abs(axes).argmax(axis=0)
        signs = np.where(axes[greatest, np.arange(len(squares))] < 0, -1.0, 1.0)
        points[:, : len(squares)] = left * np.sqrt(squares) * signs
        shares[: len(squares)] = squares / max(float((centred**2).sum()), np.finfo(np.float64).tiny)
    return Projection(points.astype(np.float32), (float(shares[0]), float(shares[1])))
