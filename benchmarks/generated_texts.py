"""Texts made at random in the encodings that filings have, labelled rightly, wrongly or not at all."""

import random

_SIMPLIFIED = (
    "公司年度报告营业收入增长净利润股东大会董事会决议公告关于的和在了是一"
    "不人有大这主中国上个为以经济市场风险管理，。、：；（）"
)
_TRADITIONAL = (
    "公司年度報告營業收入增長淨利潤股東大會董事會決議公告關於的和在了是一"
    "不人有大這主中國上個為以經濟市場風險管理，。、：；（）"
)
_JAPANESE = "会社の売上高は増加しました。当期純利益とキャッシュフローについて、取締役会による決算報告"
_KOREAN = "회사의 매출액은 전년 대비 크게 증가하였습니다 이사회 결의 공시 영업이익 당기순이익"
_WESTERN = ["The", "Company’s", "plan", "—", "café", "“net”", "sales", "£5", "€9", "résumé", "–", "cash…", "naïve"]
_RARE = "镕堃喆囧犇燚"
_WORDS = ["Revenue", "12,345", "2024", "EBITDA", "7.5%", "Hong Kong"]

# Text, Python's codec, labels that browsers read as it, and what iconv calls it.
_ENCODINGS = (
    ("simplified", "gb18030", ("gb2312", "GBK", "gb18030", "x-gbk", "csgb2312", "windows-936"), "GB18030"),
    ("simplified", "gb2312", ("gb2312", "gbk", "gb_2312-80"), "GB18030"),
    ("rare", "gb18030", ("gb2312", "gbk", "gb18030"), "GB18030"),
    ("traditional", "big5", ("big5", "Big5-HKSCS", "x-x-big5", "windows-950"), "BIG5-HKSCS"),
    ("traditional", "gb18030", ("gbk", "gb18030"), "GB18030"),
    ("hong kong", "big5hkscs", ("big5", "big5-hkscs"), "BIG5-HKSCS"),
    ("japanese", "cp932", ("shift_jis", "x-sjis", "ms_kanji"), "CP932"),
    ("japanese", "euc_jp", ("euc-jp",), "EUC-JP"),
    ("japanese", "iso2022_jp", ("iso-2022-jp",), ""),
    ("korean", "cp949", ("euc-kr", "ks_c_5601-1987"), "CP949"),
    ("western", "cp1252", ("windows-1252", "iso-8859-1", "us-ascii", "latin1"), "WINDOWS-1252"),
    *((kind, codec, ("utf-8", "utf8", "gb2312", "big5", "iso-8859-1", "utf-16", "x-unknown"), "UTF")
      for kind in ("simplified", "traditional", "japanese", "western", "rare")
      for codec in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")),
)  # fmt: skip


class GeneratedText:
    """One text and its bytes. The same seed makes the same text.

    `iconv` is what the encoding is called in a good advice. A page's label may be another one.
    """

    def __init__(self, seed: int) -> None:
        choice = random.Random(seed)
        kind, codec, labels, self.iconv = choice.choice(_ENCODINGS)
        self.text = " ".join(_line(choice, kind) for _ in range(choice.randint(1, 40)))
        self.suffix = choice.choice((".html", ".html", ".txt"))
        encoded = self.text
        if self.suffix == ".html":
            encoded = f"<html><head>{_label(choice, labels)}</head><body><p>{self.text}</p></body></html>"
        self.data = encoded.encode(codec)


def _line(choice: random.Random, kind: str) -> str:
    if kind == "western":
        words = choice.choices([*_WESTERN, *_WORDS], k=choice.randint(2, 12))
    elif kind == "korean":
        words = choice.choices([*_KOREAN.split(), *_WORDS], k=choice.randint(2, 8))
    else:
        letters = {"simplified": _SIMPLIFIED, "traditional": _TRADITIONAL, "japanese": _JAPANESE}.get(kind, _SIMPLIFIED)
        letters = letters.replace("，。、：；（）", "") * 3 + letters
        letters += {"rare": _RARE, "hong kong": "嘅咗啲喺嚟" + _TRADITIONAL}.get(kind, "")
        if kind == "hong kong":
            letters = "".join(c for c in letters if c in _TRADITIONAL or c in "嘅咗啲喺嚟")
        words = ["".join(choice.choices(letters, k=choice.randint(4, 30))), choice.choice(_WORDS)]
    return " ".join(words)


def _label(choice: random.Random, labels: tuple[str, ...]) -> str:
    label = choice.choice(labels)
    wrong = choice.choice(("gbk", "big5", "utf-8", "iso-8859-1", "shift_jis", "klingon"))
    forms = (
        "<meta charset={}>", "<META HTTP-EQUIV='Content-Type' CONTENT='text/html; CHARSET={}'>",
        "<!-- <meta charset=" + wrong + "> --><meta charset='{}'>",
        "<meta name=keywords content='charset=x'><meta charset={}>",
        "<title>" + "x" * 1_100 + "</title><meta charset={}>", "",
    )  # fmt: skip
    return choice.choice(forms).format(wrong if choice.random() < 0.15 else label)
