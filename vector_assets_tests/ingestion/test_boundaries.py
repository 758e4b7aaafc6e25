"""Where chunks may end: sentences, lines and figures of English, Simplified and Traditional Chinese."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_assets.ingestion.boundaries import Boundaries
from vector_assets.ingestion.line_wrapping import unwrap

FIGURES = st.sampled_from([
    "1,234,567", "$ 96,388", "(12.5)%", "12.5 %", "HK$10.92", "US$5.2 million", "December 31, 2022", "3.14",
    "１，２３４", "2024年12月31日", "2024 年 6 月 5 日", "573,928,967元", "伍亿柒仟叁佰玖拾贰万元",
    "二〇一三年六月十三日", "百分之12.5", "24,167 万元",
])  # fmt: skip
PROSE = "We believe that our cash will be enough for the next twelve months and for longer."
WORDS = st.sampled_from(["revenue", " of ", "合同金额", "為", "，", ", ", "公司", " the ", "人民币"])


def pieces(text: str, length: int) -> list[str]:
    """Return the text in pieces of at most `length` characters, each ended at its best boundary."""
    boundaries, found, start = Boundaries(unwrap(text)), [], 0
    while start < len(text):
        limit = start + length
        end = len(text) if limit >= len(text) else boundaries.best_end(start, limit)
        found.append(text[start:end])
        start = end
    return [piece.strip() for piece in found if piece.strip()]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(WORDS, FIGURES), min_size=1, max_size=20), st.integers(32, 60))
def test_figures_stay_whole(parts: list[tuple[str, str]], length: int):
    """No piece ends inside an amount, a share or a date, in any of the scripts, if it has room for it."""
    text = "".join(f"{word} {figure};" for word, figure in parts)

    found = pieces(text, length)

    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(sum(piece.count(figure) for piece in found) == text.count(figure) for _, figure in parts)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("aZ1９公。」「.,， \n\f:$#%（一、\t"), max_size=200), st.integers(1, 40))
def test_any_text_goes_forward(text: str, length: int):
    """A piece always has a character and is never longer than its limit."""
    boundaries = Boundaries(unwrap(text))

    for start in range(max(len(text) - length, 0)):
        assert start < boundaries.best_end(start, start + length) <= start + length


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Revenue grew by 5.2 %. Costs of the U.S. segment fell.", "Apple Inc. and Intel Corp. agreed on it."),
        ("Net sales rose (see Note 3. Debt).", '"We expect more," said the chairman.'),
        ("公司收到《中标通知书》。", "项目尚未签订合同！"),
        ("他說：「合同已簽訂。金額尚待確定。」", "『特此公告。』"),
        ("（本公司保證內容真實。）", "其後並無變動？"),
    ],
)
def test_sentences(first: str, second: str):
    """A piece ends after a sentence with its closing marks; abbreviations and quoted sentences do not end it."""
    gap = " " if first.isascii() else ""

    assert pieces(first + gap + second, max(len(first), len(second)) + 2) == [first, second]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Net sales grew in all regions.", f"Item 2. Management's Discussion\n{PROSE}"),
        ("Costs fell in the last quarter.", f"Liquidity and Capital Resources\n{PROSE}"),
        ("本项目中标金额占本公司营业收入的一部分。", "二、对本公司的影响\n目前尚未签订合同，请投资者注意投资风险。"),
        ("业绩增长。", "第三节 管理层讨论与分析\n公司报告期内营业收入增长。"),
        ("Total assets\n$\n364,552    $\n364,840", "Total liabilities\n$\n198,298    $\n190,001"),
        ("流动资产合计\n100,000\n90,000", "非流动资产合计\n50,000\n45,000"),
        ("•\nThe first risk is the price.", "•\nThe second risk is the demand."),
        ("(a)\nThe report is true.", "(b)\nThe report is complete."),
    ],
    ids=["item", "title", "number", "section", "cells", "Chinese cells", "bullets", "letters"],
)  # fmt: skip
def test_what_belongs_together(first: str, second: str):
    """A heading stays with its text, a cell with its row, a bullet with its item."""
    assert pieces(f"{first}\n{second}", max(len(first), len(second)) + 3) == [first, second]


def test_a_long_sentence_is_moved_as_a_whole():
    """A sentence that does not fit behind another goes to the next piece instead of being split."""
    short, long = "Revenue grew in the year.", "Costs of " + "many and " * 8 + "more fell."

    assert pieces(f"{short} {long}", 95) == [short, long]


def test_a_page_break_is_stronger_than_a_line():
    """A piece ends before the page break rather than at the last line that fits."""
    assert pieces("First row 1\nSecond row 2\fThird row 3\nFourth row 4", 40)[0] == "First row 1\nSecond row 2"
