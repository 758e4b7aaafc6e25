"""The bytes of a document decide its charset, labels help, and what fits neither is refused with good advice."""

import codecs

import pytest

from vector_assets.errors import DamagedText, NulBytes, UnreadableDocument, WrongEncoding
from vector_assets.ingestion.charsets import decode_plain
from vector_assets.ingestion.html import read_html


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8, 2 * codecs.BOM_UTF8])
def test_plain_utf8(mark: bytes):
    """UTF-8 is kept as it is, line ends included; a byte order mark is left out."""
    text = "Revenue\r\n营业收入 😀\n"

    read = decode_plain(mark + text.encode(), "a.txt")

    assert read == text


def test_plain_gb18030():
    """Text in GB18030 is refused, with the place and the command that converts it."""
    data = "Revenue 公司".encode("gb18030")

    with pytest.raises(WrongEncoding, match=r"not UTF-8 \(byte 8\).*iconv -f GB18030"):
        decode_plain(data, "a.txt")


@pytest.mark.parametrize(
    ("text", "encoding", "advised"),
    [
        ("The Company’s plan — 2009", "cp1252", "WINDOWS-1252"),
        ("公司營業收入增長百分之五", "big5", "BIG5-HKSCS"),
        ("公司营业收入增长百分之五", "gbk", "GB18030"),
        ("売上高は増加しました", "shift_jis", "CP932"),
        ("회사의 매출액은 크게 증가했다", "cp949", "CP949"),
    ],
)
def test_advice(text: str, encoding: str, advised: str):
    """The advice names the encoding that the bytes have, because another would turn them into other text."""
    with pytest.raises(WrongEncoding, match=f"iconv -f {advised} "):
        decode_plain(text.encode(encoding), "a.txt")


def test_no_advice_that_gives_control_characters():
    """UTF-16 without a mark and without ASCII could be converted from many encodings, to other text from each."""
    with pytest.raises(WrongEncoding) as caught:
        decode_plain(
            "本公司董事会及全体董事保证公告内容不存在虚假记载，营业收入同比增长。".encode("utf-16-le"), "a.txt"
        )

    assert "iconv" not in str(caught.value)


def test_halves_of_characters():
    """An emoji that a database exported as two halves is damage, though it is six wrong bytes in a short text."""
    with pytest.raises(DamagedText, match="Do not convert it"):
        decode_plain("公司营业收入增长百分之五，净利润增长百分之六".encode() + b"\xed\xa0\xbd\xed\xb8\x80", "a.txt")


@pytest.mark.parametrize("label", ["", "<meta charset=gbk>"])
def test_damaged_utf8(label: str):
    """A file with a bad byte among good ones is not to be converted, which would change all of it."""
    data = f"{label}<p>公司营业收入增长百分之五，净利润增长".encode() + b"\xff" + "百分之六".encode()

    with pytest.raises(DamagedText, match="Do not convert it"):
        read_html(data, "a.html")


@pytest.mark.parametrize("data", [b"a\0b", b"Rev\0enue of the year", b"\0\1\2\3\4\5", b"ab\0\0cd"])
def test_plain_nul_bytes(data: bytes):
    """NUL bytes are refused as such, before any talk of encodings."""
    with pytest.raises(NulBytes):
        decode_plain(data, "a.txt")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ["Revenue grew.", "公司营业收入增长。\n净利润 5\n"])
def test_utf16(codec: str, text: str):
    """UTF-16 is read, with a byte order mark or without one."""
    assert decode_plain(text.encode(codec), "a.txt") == text


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("gb2312", "gb2312"),
        ("gb2312", "gb18030"),
        ("GBK", "gb18030"),
        ("big5", "big5hkscs"),
        ("utf-8", "utf-8"),
        ("utf8", "utf-8-sig"),
        ("gb2312", "utf-8-sig"),
        ("utf-16", "utf-8"),
    ],
)
@pytest.mark.parametrize(
    "head",
    [
        "<meta charset={}>",
        "<META HTTP-EQUIV='Content-Type' CONTENT='text/html; CHARSET={}'>",
        "<?xml version='1.0' encoding='{}'?>",
    ],
)
def test_chinese_charsets(label: str, codec: str, head: str):
    """A named charset is read as browsers read it: the small ones as their supersets, a byte order mark first."""
    text = "公司營業" if codec == "big5hkscs" else "公司镕" if codec != "gb2312" else "公司"
    data = f"{head.format(label)}<p>{text}</p>".encode(codec)

    assert read_html(data, "a.html") == text


@pytest.mark.parametrize("label", ["windows-1252", "iso-8859-1", "us-ascii"])
def test_western_charsets(label: str):
    """Windows' quotes and dashes are read also where a page names one of the charsets that lack them."""
    data = f"<meta charset={label}><p>“net” — café</p>".encode("cp1252")

    assert read_html(data, "a.html") == "“net” — café"


@pytest.mark.parametrize(
    "label", ["klingon", "hex", "rot13", "idna", "undefined", "unicode_escape", "punycode", "utf-7", "..", "_"]
)
def test_unknown_charset(label: str):
    """A charset that is none is named in the error, also where Python has a codec of that name.

    It does no harm where the bytes are ASCII or UTF-8.
    """
    head = f"<meta charset={label}><p>a\\ud800 ".encode()

    with pytest.raises(UnreadableDocument, match="unknown encoding"):
        read_html(head + "公司".encode("gbk"), "a.html")
    assert read_html(head + "公司".encode(), "a.html") == "a\\ud800 公司"


def test_html_in_another_encoding():
    """Bytes that are not in the named encoding, or in UTF-8 where none is named, are refused."""
    with pytest.raises(WrongEncoding, match="not UTF-8"):
        read_html("<p>公司".encode("gb18030"), "a.html")
    with pytest.raises(WrongEncoding, match=r"not GB2312 \(byte 24\)"):
        read_html(b"<meta charset=gb2312><p>\xff\xff", "a.html")


def test_rare_characters_under_a_label():
    """Japanese that a label calls Chinese can be decoded, to characters that nobody writes one after another."""
    data = "<meta charset=gbk><p>た報に取ロる決役に算算るつ会フ益".encode("cp932")

    with pytest.raises(WrongEncoding, match="not GBK"):
        read_html(data, "a.html")


@pytest.mark.parametrize(("label", "codec"), [("iso-8859-1", "gbk"), ("gbk", "big5"), ("big5", "gbk")])
def test_labels_that_are_wrong(label: str, codec: str):
    """A label that the bytes contradict is not followed: the text would become other text."""
    text = "公司年度董事會報告營業收入增長百分之五" if codec == "big5" else "公司年度报告营业收入增长百分之五净利润"
    data = f"<meta charset={label}><p>{text * 3}".encode(codec)

    with pytest.raises(WrongEncoding, match=r"iconv -f (GB18030|BIG5-HKSCS) "):
        read_html(data, "a.html")


@pytest.mark.parametrize("label", ["gb2312", "iso-8859-1", "ascii", "utf-16", "klingon"])
def test_utf8_under_another_label(label: str):
    """UTF-8 is read whatever the page says, because other text is not UTF-8 by chance."""
    assert read_html(f"<meta charset={label}><p>The Company’s 公司".encode(), "a.html") == "The Company’s 公司"


@pytest.mark.parametrize(
    "head",
    [
        "<!-- <meta charset=big5> --><meta charset=gbk>",
        "<meta name=keywords content='charset=big5'><meta charset=gbk>",
        "<meta name=generator content='encoding=foo'><meta charset=x-gbk>",
        "<!-- " + "x" * 1_100 + " --><meta charset=gb2312>",
        "<meta charset=klingon><meta charset=gbk>",
        "<?xml version='1.0' encoding='windows-1252'?><meta charset=gbk>",
        "<script>'<meta charset=big5>'</script><title><meta charset=big5></title><meta charset=windows-936>",
    ],
)
def test_labels_that_count(head: str):
    """The charset is what a browser takes for it: nothing in comments, keywords or scripts, however far it is."""
    assert read_html(f"{head}<p>公司营业收入".encode("gbk"), "a.html") == "公司营业收入"


def test_characters_of_supersets():
    """Characters that browsers know and the small charsets do not are read."""
    assert read_html("<meta charset=gbk><p>价格".encode("gbk") + b"\x805", "a.html") == "价格€5"
    assert read_html("<meta charset=big5><p>歐元".encode("big5") + b"\xa3\xe1", "a.html") == "歐元€"
    assert read_html("<meta charset=iso-2022-jp><p>会社".encode("iso2022_jp"), "a.html") == "会社"
    assert read_html("<meta charset=iso-2022-kr><p>매출".encode("iso2022_kr"), "a.html") == "매출"
    assert read_html("<meta charset=hz-gb-2312><p>收入".encode("hz"), "a.html") == "收入"


def test_japanese_under_a_chinese_label():
    """Kana have the same bytes in both, so that only the Chinese characters of a Japanese text would be others."""
    text = "当社の売上高はつぎの通りであり、決算に関する報告は取締役会が定めるところによる。" * 3

    with pytest.raises(WrongEncoding, match="EUC-JP"):
        read_html(b"<meta charset=gbk><p>" + text.encode("euc_jp"), "a.html")


def test_kana_in_a_chinese_text():
    """A text that names a Japanese company is Chinese all the same."""
    text = "本公司向日本トヨタ自动车株式会社（以下简称丰田）采购零部件，本报告期内采购金额为人民币一千二百万元。" * 3

    assert read_html(b"<meta charset=gbk><p>" + text.encode("gbk"), "a.html") == text


def html(body: str) -> str:
    return read_html(body.encode(), "a.html")


def test_charset_in_prose():
    """Only the document's head names its charset, not a sentence about charsets."""
    assert html("<p>our charset=klingon, encoding = none") == "our charset=klingon, encoding = none"


def test_html_nul_bytes():
    """NUL bytes in HTML are refused, unless they are halves of UTF-16."""
    with pytest.raises(NulBytes):
        read_html(b"<p>x\0y</p>", "a.html")
    assert read_html("<p>x</p>".encode("utf-16-le"), "a.html") == "x"


def test_nul_entity():
    """An entity for NUL does not bring one into the text."""
    assert "\0" not in html("<p>a&#0;b</p>")
