"""Vectors as healthy embedders give them, and texts as filings have them."""

import numpy as np

from vector_assets.domain.spaces import Vectors

DIMENSION = 384


def unit_rows(count: int, seed: int = 0, dimension: int = DIMENSION) -> Vectors:
    """Random directions, of length 1 as float32 has it."""
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def rotated(vectors: Vectors, seed: int = 0, amount: float = 1.0) -> Vectors:
    """As other weights would give them: `amount` 1 is any rotation, a small one a nearby rotation."""
    noise = np.random.default_rng(seed).normal(size=(vectors.shape[1],) * 2)
    skew = amount * (noise - noise.T) / np.sqrt(vectors.shape[1])
    identity = np.eye(len(skew))
    rotation = np.linalg.solve(identity + skew, identity - skew)  # Cayley's: orthogonal for any skew matrix
    return (vectors @ rotation).astype(np.float32)


def keys(count: int) -> list[bytes]:
    """Of texts that all differ."""
    return [b"text %d" % number for number in range(count)]


BOILERPLATE = (
    "This report of Example Harbor Lines Inc. (an invented issuer) contains forward-looking statements within the "
    "meaning of the securities laws. Words such as may, will, expect, believe, plan and similar ones identify them. "
    "They are subject to risks and uncertainties, and actual results may differ materially. We undertake no duty to "
    "update them. As of the end of the period covered by this report, our management evaluated the effectiveness of "
    "our disclosure controls and procedures and concluded that they were effective at the level of reasonable "
    "assurance. There were no changes in internal control over financial reporting during the quarter that "
    "have materially affected it. In quarter {number} we paid ${number}.2 million for leases of offices, ships and "
    "warehouses."
)


def boilerplate(count: int) -> list[str]:
    """Texts that differ in one number, which stands twice."""
    return [BOILERPLATE.format(number=number) for number in range(1, count + 1)]


def issuer(seed: int, count: int = 200) -> Vectors:
    """Vectors of one issuer's texts: rows about a direction of its own."""
    rows = unit_rows(1, seed=1000 + seed) + 1.5 * unit_rows(count, seed)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
