"""A few fixed texts whose vectors are kept: where they come out otherwise later, all other vectors would as well."""

from dataclasses import dataclass

import numpy as np

from ..domain import Vectors, text_hash

LEAST_COSINE = 0.999
"""Below this a vector is another one; the bound by which a faster form of a model counts as the same model.

The bundled model's vectors of these texts stay above it from any of its arithmetics (float32, bf16, 8 bits) to another.
"""

# Short and long, prose, figures and a table, in both languages. The issuers are invented. Never edited: an edit needs
# new stored vectors, which `CANARY_DIGEST` tells.
CANARY_TEXTS = (
    "Risk factors",
    "Total revenue for the quarter was $1,284.6 million, up 7.3% from $1,197.2 million a year earlier.",
    "The board of Example Harbor Lines Inc. (an invented issuer) declared a quarterly dividend of $0.18 per share, "
    "payable on June 30 to holders of record on June 12.",
    "We depend on a small number of suppliers for components that are made in few places. If one of them could not "
    "deliver, because of a fire, a strike, a flood, an export rule or a want of money, we could not finish our "
    "products in time, our customers could cancel their orders, and our revenue and gross margin would fall. We keep "
    "stocks of some components and have found second sources for others, but to qualify a new supplier takes up to "
    "eighteen months, and stocks lose their value when a product is replaced by a newer one.",
    "Segment | 2024 | 2023\nGrain | 412.5 | 398.1\nFreight | 96.0 | 101.7\nOther | (3.2) | 1.4\nTotal | 505.3 | 501.2",
    "董事会决议公告",
    "示例港航股份有限公司（虚构）2024年度实现营业收入人民币12.84亿元，同比增长7.3%；归属于上市公司股东的净利润为1.06亿元。",
    "本公司及董事会全体成员保证信息披露的内容真实、准确、完整，没有虚假记载、误导性陈述或重大遗漏。"
    "报告期内，公司主要原材料价格波动较大，如果未来价格继续上涨而产品售价未能及时调整，将对公司的毛利率和经营业绩产生不利影响。",
)

CANARY_DIGEST = text_hash("\0".join(CANARY_TEXTS)).hex()[:12]
"""Names this set of texts: keep it with their vectors, for those of another set do not compare."""


@dataclass(frozen=True)
class CanaryResult:
    """The lowest cosine between a canary's vector then and now, and which text it is."""

    lowest: float
    text: str

    @property
    def drifted(self) -> bool:
        """Whether the embedder no longer makes the vectors that it made."""
        return not self.lowest >= LEAST_COSINE


def compare_canaries(stored: Vectors, now: Vectors) -> CanaryResult:
    """Compare the vectors of `CANARY_TEXTS` with those made earlier, both (texts, dimension), in that order.

    A vector without a direction, zero or not finite, has a cosine of -1.

    Raises:
        ValueError: the shapes are not those; vectors of another space or of other texts were given.
    """
    if stored.shape != now.shape or len(now) != len(CANARY_TEXTS):
        raise ValueError(f"{len(CANARY_TEXTS)} canary vectors are compared, not shapes {stored.shape} and {now.shape}")
    before, after = stored.astype(np.float64), now.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        cosines = np.einsum("ij,ij->i", before, after) / lengths
    cosines = np.where(np.isfinite(cosines), cosines, -1.0)
    worst = int(np.argmin(cosines))
    return CanaryResult(float(cosines[worst]), CANARY_TEXTS[worst])
