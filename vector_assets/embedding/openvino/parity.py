"""When a faster form of a model counts as the same model."""

# Vectors nearer than this to the reference's are the same for any search; bfloat16 comes to 0.9999 and better.
MIN_COSINE = 0.999

# Short, long and longer than any limit, in both languages, with figures and with signs that no vocabulary holds.
PARITY_TEXTS = (
    "a",
    "Net sales rose 4 % to $82,959 million, driven by services.",
    "董事会审议通过了2024年年度报告。",
    "Cash flow \u2014 operating activities: (1,234) \u2611 \U0001f4c8",
    "The company repurchased shares under its program. " * 12,
    "报告期内，公司实现营业收入人民币一百二十亿元，同比增长百分之八。" * 12,
    "Risk factors may affect our business, financial condition and results of operations. " * 1200,
)
