"""Vectors laid flat, to be drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..domain import Vectors


@dataclass(frozen=True, eq=False)
class Projection:
    """`points`, float32 (n, 2), in the order of the vectors, and the share of their spread along each of the two axes.

    The axes are the vectors' own: two projections do not lie on one another.
    """

    points: NDArray[np.float32]
    shares: tuple[float, float]


def project(vectors: Vectors) -> Projection:
    """Principal components of finite vectors (n, dimension), by the singular values of what is left without the mean.

    The sign of an axis is free: here its component of greatest size is positive, so that the same vectors always give
    the same picture. Directions that do not exist, of one vector or of equal ones, are 0.
    """
    points, shares = np.zeros((len(vectors), 2)), np.zeros(2)
    if len(vectors):
        centred = vectors.astype(np.float64)
        centred -= centred.mean(axis=0)
        left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
        there = min(2, len(sizes))
        greatest = np.abs(axes[:there]).argmax(axis=1)
        signs = np.where(axes[np.arange(there), greatest] < 0, -1.0, 1.0)
        points[:, :there] = left[:, :there] * sizes[:there] * signs
        shares[:there] = sizes[:there] ** 2 / max(float((sizes**2).sum()), np.finfo(np.float64).tiny)
    return Projection(points.astype(np.float32), (float(shares[0]), float(shares[1])))
