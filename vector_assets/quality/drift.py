"""Reference texts, whose vectors are kept with a space: if an embedder makes other vectors of them, it has drifted."""

from dataclasses import dataclass

import numpy as np

from ..domain.chunks import text_hash
from ..domain.spaces import Vectors

# Prose with figures in both languages, and a table; the issuers are invented. Every process embeds them, so they have
# few tokens, but none is so short that a model compiled for longer texts would load a slower form for it.
# They are never edited: an edit needs new stored vectors, and changes `REFERENCE_TEXTS_DIGEST`.
REFERENCE_TEXTS = (
    "Total revenue for the quarter was $1,284.6 million, up 7.3% from $1,197.2 million a year earlier.",
    "Segment | 2024 | 2023\nGrain | 412.5 | 398.1\nFreight | 96.0 | 101.7\nOther | (3.2) | 1.4\nTotal | 505.3 | 501.2",
    "董事会决议公告：会议审议通过了关于利润分配预案的议案。",
    "示例港航股份有限公司（虚构）2024年度实现营业收入人民币12.84亿元，同比增长7.3%；归属于上市公司股东的净利润为1.06亿元。",
)

REFERENCE_TEXTS_DIGEST = text_hash("\0".join(REFERENCE_TEXTS)).hex()[:12]
"""Names this set of texts. It is stored with their vectors, because those of another set do not compare."""


@dataclass(frozen=True)
class DriftResult:
    """The lowest cosine between a reference text's stored vector and its new one, that text, and the limit."""

    lowest: float
    text: str
    min_cosine: float

    @property
    def drifted(self) -> bool:
        """Whether the embedder no longer makes the stored vectors."""
        return not self.lowest >= self.min_cosine


def compare_reference_vectors(stored: Vectors, now: Vectors, min_cosine: float) -> DriftResult:
    """Compare stored vectors of `REFERENCE_TEXTS`, in that order, with new ones; both are (texts, dimension).

    A vector without a direction, zero or not finite, has a cosine of -1.

    Raises:
        ValueError: the shapes differ from that, so that these are vectors of another space or of other texts.
    """
    if stored.shape != now.shape or len(now) != len(REFERENCE_TEXTS):
        raise ValueError(
            f"{len(REFERENCE_TEXTS)} reference vectors are compared, not shapes {stored.shape} and {now.shape}"
        )
    before, after = stored.astype(np.float64), now.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        cosines = np.einsum("ij,ij->i", before, after) / lengths
    cosines = np.where(np.isfinite(cosines), cosines, -1.0)
    worst = int(np.argmin(cosines))
    return DriftResult(float(cosines[worst]), REFERENCE_TEXTS[worst], min_cosine)
