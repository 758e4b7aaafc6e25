"""A few fixed texts whose vectors are kept: where they come out otherwise later, all other vectors would as well."""

from dataclasses import dataclass

import numpy as np

from ..domain.chunks import text_hash
from ..domain.spaces import Vectors

MIN_COSINE = 0.999
"""Below this a vector is another one; the bound by which a faster form of a model counts as the same model.

The bundled model's vectors of these texts stay above it from any of its arithmetics (float32, bf16, 8 bits) to another.
"""

# Prose with figures in both languages, and a table; the issuers are invented. As few tokens as show both, for every run
# embeds them, and none so short that a model made faster for longer texts would leave it to a slower form of itself,
# which would be loaded for that. Never edited: an edit needs new stored vectors, which `REFERENCE_TEXTS_DIGEST` tells.
REFERENCE_TEXTS = (
    "Total revenue for the quarter was $1,284.6 million, up 7.3% from $1,197.2 million a year earlier.",
    "Segment | 2024 | 2023\nGrain | 412.5 | 398.1\nFreight | 96.0 | 101.7\nOther | (3.2) | 1.4\nTotal | 505.3 | 501.2",
    "董事会决议公告：会议审议通过了关于利润分配预案的议案。",
    "示例港航股份有限公司（虚构）2024年度实现营业收入人民币12.84亿元，同比增长7.3%；归属于上市公司股东的净利润为1.06亿元。",
)

REFERENCE_TEXTS_DIGEST = text_hash("\0".join(REFERENCE_TEXTS)).hex()[:12]
"""Names this set of texts: keep it with their vectors, for those of another set do not compare."""


@dataclass(frozen=True)
class DriftResult:
    """The lowest cosine between a reference text's vector then and now, which text it is, and how low it may be."""

    lowest: float
    text: str
    least: float = MIN_COSINE

    @property
    def drifted(self) -> bool:
        """Whether the embedder no longer makes the vectors that it made."""
        return not self.lowest >= self.least


def compare_reference_vectors(stored: Vectors, now: Vectors, least: float = MIN_COSINE) -> DriftResult:
    """Compare the vectors of `REFERENCE_TEXTS` with those made earlier, both (texts, dimension), in that order.

    A vector without a direction, zero or not finite, has a cosine of -1.

    Raises:
        ValueError: the shapes are not those; vectors of another space or of other texts were given.
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
    return DriftResult(float(cosines[worst]), REFERENCE_TEXTS[worst], least)
