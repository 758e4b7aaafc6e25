"""Wrong encodings are found in every text they change, and good texts are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.readability import unreadable_share

LIMIT = QualityLimits().max_unreadable_share

ENGLISH = (
    "The company’s revenue — including that of its subsidiaries’ ships — rose 7.3% to €1,284.6 million. “We don’t "
    "expect this to last,” the chairman of Example Harbor Lines (an invented issuer) said. Café Résumé pays its "
    "suppliers’ bills."
)
CHINESE = (
    "本公司及董事会全体成员保证信息披露的内容真实、准确、完整，没有虚假记载、误导性陈述或重大遗漏。示例港航股份有限公司（虚构）"
    "2024年度实现营业收入人民币12.84亿元，同比增长7.3%；归属于上市公司股东的净利润为1.06亿元。"
)


@pytest.mark.parametrize(
    "text",
    [
        ENGLISH,
        CHINESE,
        "Total\u00a0revenue\t$\u00a01,284\r\n\fPage 2 · © 2024 Example® ±3 % §4 ½ × 12 µm £5 «non»",
        "目录……………………1\n第一节 释义··········4\n一、经营情况......6 ●□■★①②③ Ⅳ ㎡ ￥5",
        "Año: ¿cuánto? ¡Élite! ¡¿Qué?! Über-Größe, naïve coöperation, Łódź, Ångström, señor, Åéî",
        "NESTLÉ® and SOCIÉTÉ\u00a0GÉNÉRALE, „Spaß“, “CAFÉ”, RÉSUMÉ…",
        "《公司法》、《证券法》（二〇二四年） 騰訊控股有限公司 これは、ﾃｽﾄです。",
        "\uf06c bullet of a symbol font",
        "¥¥¥¥ ---- ████ ÷÷÷÷ ····",
        "",
    ],
)
def test_good_texts_are_readable(text: str) -> None:
    """With accents, leaders, non-breaking blanks, form feeds and signs."""
    assert unreadable_share(text) == 0


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5, exclude_characters="锟锛銆鈥")))
def test_chinese_is_readable(text: str) -> None:
    """Any of it, but for four characters that wrong encodings leave and no common word has."""
    assert unreadable_share(text) == 0


@pytest.mark.parametrize(
    ("text", "written", "read", "least"),
    [
        (ENGLISH, "utf-8", "latin-1", 0.05),
        (ENGLISH, "utf-8", "cp1252", 0.04),
        (ENGLISH, "utf-8", "gbk", 0.02),
        (ENGLISH, "cp1252", "utf-8", 0.03),
        (ENGLISH, "cp1252", "latin-1", 0.02),
        ("The company’s “revenue” — a sum", "gbk", "latin-1", 0.2),
        (CHINESE, "utf-8", "latin-1", 0.4),
        (CHINESE, "utf-8", "cp1252", 0.3),
        (CHINESE, "utf-8", "gbk", 0.05),
        (CHINESE, "gbk", "latin-1", 0.2),
        (CHINESE, "gbk", "cp1252", 0.2),
        (CHINESE, "gbk", "utf-8", 0.4),
        (CHINESE, "utf-8", "ascii", 0.8),
    ],
)
def test_a_text_read_in_another_encoding_is_not_readable(text: str, written: str, read: str, least: float) -> None:
    """Each that filings meet with, well above the limit."""
    garbled = text.encode(written, "ignore").decode(read, "replace")

    assert garbled != text
    assert unreadable_share(garbled) > least > LIMIT


def test_a_replacement_character_that_was_read_as_gbk_is_found() -> None:
    """The sign of a text that went wrong twice."""
    twice = ("\ufffd" * 4).encode().decode("gbk", "replace")

    assert unreadable_share(f"公司{twice}公告") > 0.5


def test_a_quote_in_utf_8_that_was_read_as_gbk_is_found() -> None:
    """In English text there is nothing else."""
    assert unreadable_share("The company’s revenue rose".encode().decode("gbk")) > LIMIT


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\x7f", "\x85", "\ufffd"])
def test_single_bad_characters_are_counted(bad: str) -> None:
    """As a share of all."""
    assert unreadable_share(f"{bad}net sales") == pytest.approx(0.1)


@given(st.text())
def test_the_share_is_one(text: str) -> None:
    """Between nothing and all."""
    assert 0 <= unreadable_share(text) <= 1
