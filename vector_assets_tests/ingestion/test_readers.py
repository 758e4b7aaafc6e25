"""Readers give the text that is there, or one of our errors."""

import codecs
from pathlib import Path

import pytest

from vector_assets.errors import (
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    ImageOnlyDocument,
    NulBytes,
    UnreadableDocument,
    WrongEncoding,
)
from vector_assets.ingestion import document_limits as bounds
from vector_assets.ingestion import pdf as pdf_reader
from vector_assets.ingestion import readers
from vector_assets.ingestion.html import read_html
from vector_assets.ingestion.pdf import read_pdf
from vector_assets.ingestion.readers import read_document, read_plain_text

from .pdfs import compressed, lines, pdf


def html(body: str) -> str:
    return read_html(body.encode(), "a.html")


# Any file


@pytest.mark.parametrize("name", ["a.txt", "a.MD", "a.html", "a.htm", "a.pdf"])
@pytest.mark.parametrize("data", [b"", b" \r\n\t "])
def test_blank_file(tmp_path: Path, name: str, data: bytes):
    """A file without anything but white space is an empty document, whatever its format."""
    (tmp_path / name).write_bytes(data)

    with pytest.raises(EmptyDocument, match=name):
        read_document(tmp_path / name, name)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", codecs.BOM_UTF8),
        ("a.txt", "\u3000\u00a0\n".encode()),
        ("a.html", b"<p> &nbsp; </p>"),
        ("a.html", b"<!-- nothing -->"),
        ("a.html", b"<script>x = 1</script>"),
    ],
)
def test_no_text_in_file(tmp_path: Path, name: str, data: bytes):
    """Bytes that come to no text are an empty document too."""
    (tmp_path / name).write_bytes(data)

    with pytest.raises(EmptyDocument):
        read_document(tmp_path / name, name)


def test_endings_in_capitals(tmp_path: Path):
    """The ending's letter case does not matter."""
    (tmp_path / "A.HTML").write_bytes(b"<p>text</p>")

    text = read_document(tmp_path / "A.HTML", "A.HTML")

    assert text == "text"


def test_file_that_is_gone(tmp_path: Path):
    """A file that vanished after it was found is reported, with the system's reason."""
    with pytest.raises(UnreadableDocument, match="No such file"):
        read_document(tmp_path / "a.txt", "a.txt")


def test_file_beyond_the_bound(tmp_path: Path):
    """A file larger than any filing is refused before it is parsed."""
    with (tmp_path / "a.html").open("wb") as file:
        file.truncate(bounds.MAX_FILE_BYTES + 1)

    with pytest.raises(DocumentTooLarge, match="larger than 128 MiB"):
        read_document(tmp_path / "a.html", "a.html")


def test_text_at_the_bound(monkeypatch: pytest.MonkeyPatch):
    """The longest text that may be is read, a character more is not."""
    monkeypatch.setattr(readers, "MAX_CHARACTERS", 10)

    assert readers.extract_text(b"x" * 10, ".txt", "a.txt") == "x" * 10
    with pytest.raises(DocumentTooLarge, match="longer than 10 characters"):
        readers.extract_text(b"x" * 11, ".txt", "a.txt")


# Plain text


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_plain_utf8(mark: bytes):
    """UTF-8 is kept as it is, line ends included; a byte order mark is left out."""
    text = "Revenue\r\n营业收入 😀\n"

    read = read_plain_text(mark + text.encode(), "a.txt")

    assert read == text


def test_plain_gb18030():
    """Text in GB18030 is refused, with the place and the command that converts it."""
    data = "Revenue 公司".encode("gb18030")

    with pytest.raises(WrongEncoding, match=r"not UTF-8 \(byte 8\).*iconv -f GB18030"):
        read_plain_text(data, "a.txt")


@pytest.mark.parametrize("data", [b"a\0b", "Revenue".encode("utf-16")])
def test_plain_nul_bytes(data: bytes):
    """NUL bytes are refused as such, before any talk of encodings."""
    with pytest.raises(NulBytes):
        read_plain_text(data, "a.txt")


# HTML: what is shown


def test_table_rows():
    """Cells of a row stand side by side, two spaces apart; empty cells leave no hole."""
    text = html("<table><tr><th>Item</th><th></th><th>2024</th></tr><tr><td>Revenue<td>$<td>1,234</table>")

    assert text == "Item  2024\nRevenue  $  1,234"


def test_cells_of_several_lines():
    """Lines of a cell stay in their order beside the first line of its neighbours."""
    text = html("<table><tr><td>Revenue</td><td>1<br>2<br>3</td></tr></table>")

    assert [line.split() for line in text.split("\n")] == [["Revenue", "1"], ["2"], ["3"]]


def test_nested_tables():
    """A table inside a cell loses nothing, and does not stick to the text before it."""
    text = html("<table><tr><td>Note<table><tr><td>5<td>6</table>after</td></tr></table><p>end")

    assert text.split() == ["Note", "5", "6", "after", "end"]


@pytest.mark.parametrize("body", ["<table></table>x", "<table><tr></tr></table>x", "<td>x</td>", "<tr>x</tr>"])
def test_tables_without_cells(body: str):
    """Tables that lack rows or cells, and cells that lack a table, cost nothing but themselves."""
    assert html(body) == "x"


def test_a_long_cell_does_not_widen_the_others():
    """The text of a table is as long as its cells are, not as long as its longest cell times its rows."""
    rows = "<tr><td>row</td><td>1</td></tr>" * 500
    body = f"<table><tr><td>{'word ' * 4_000}</td></tr>{rows}</table>"

    text = html(body)

    assert len(text) < 30_000
    assert text.endswith("row  1")


def test_paragraphs():
    """Paragraphs are parted by an empty line; white space inside them is one space."""
    text = html("<p>one\n  two</p><p>three<br>four</p>\n\n\n<div>five</div>")

    assert text == "one two\n\nthree\nfour\n\nfive"


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>no</script>",
        "<style>no</style>",
        "<!-- no -->",
        "<head><title>no</title></head>",
        "<p style='display:none'>no</p>",
        "<p style='color: red; DISPLAY : None !important'>no</p>",
        "<div style='display:none'><p style='display:block'>no</p></div>",
        "<div style='display:none'><table><tr><td>no</td></tr></table></div>",
        "<p hidden>no</p>",
        "<template><p>no</p></template>",
    ],
)
def test_hidden_text(hidden: str):
    """What a browser hides is left out; what follows it is not."""
    text = html(f"<body>{hidden}shown</body>")

    assert text == "shown"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("P&amp;L of A&lt;B &copy; &#20844;&#x53f8; &mdash;", "P&L of A<B © 公司 —"),
        ("R&amp;lt; and &amp;amp;", "R&lt; and &amp;"),
        ("A&amp;notes &#38;copy", "A&notes &copy"),
        ("AT&T", "AT&T"),
    ],
)
@pytest.mark.parametrize("wrap", ["{}", "<table><tr><td>{}</td></tr></table>"])
def test_entities(source: str, shown: str, wrap: str):
    """Entities are resolved once, in tables too."""
    assert html(wrap.format(source)) == shown


def test_preformatted_lines():
    """Lines of preformatted text stay lines."""
    text = html("<pre>a\nb</pre><p style='white-space: pre-wrap'>c\nd</p>")

    assert text.split() == ["a", "b", "c", "d"]
    assert text.count("\n") >= 3


@pytest.mark.parametrize("style", ["margin-top:" + "9" * 400 + "em", "padding-left:99999999em", "margin-top:-1px"])
def test_absurd_lengths(style: str):
    """Lengths beyond all bounds neither break the reader nor fill the text with space."""
    assert html(f"<p style='{style}'>x</p>") == "x"


# HTML: how it is encoded


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
    """A charset that is none is named in the error, also where Python has a codec of that name."""
    data = f"<meta charset={label}><p>a\\ud800</p>".encode()

    with pytest.raises(UnreadableDocument, match="unknown encoding"):
        read_html(data, "a.html")


def test_html_in_another_encoding():
    """Bytes that are not in the named encoding, or in UTF-8 where none is named, are refused."""
    with pytest.raises(WrongEncoding, match="not UTF-8"):
        read_html("<p>公司".encode("gb18030"), "a.html")
    with pytest.raises(WrongEncoding, match="not GB2312"):
        read_html(b"<meta charset=gb2312><p>\xff\xff", "a.html")


def test_charset_in_prose():
    """Only the document's head names its charset, not a sentence about charsets."""
    assert html("<p>our charset=klingon, encoding = none") == "our charset=klingon, encoding = none"


def test_html_nul_bytes():
    """NUL bytes in HTML are refused."""
    with pytest.raises(NulBytes):
        read_html("<p>x</p>".encode("utf-16"), "a.html")


def test_nul_entity():
    """An entity for NUL does not bring one into the text."""
    assert "\0" not in html("<p>a&#0;b</p>")


# HTML: nothing is dropped in silence


@pytest.mark.parametrize("tag", ["div", "font", "b", "span"])
def test_elements_nested_deep(tag: str):
    """Text 400 elements deep, and text after it, is read (pages that never close their <font>)."""
    text = html(f"<{tag}>" * 400 + "deep" + f"</{tag}>" * 400 + "<p>after")

    assert text.split() == ["deep", "after"]


@pytest.mark.parametrize("depth", [3_000, 100_000])
@pytest.mark.parametrize("tag", ["div", "font", "table><tr><td"])
def test_elements_nested_too_deep(tag: str, depth: int):
    """What is nested beyond all reason is an error, neither a crash nor half of the text."""
    with pytest.raises(UnreadableDocument, match="nested too deep"):
        html(f"<{tag}>" * depth + "deep")


def test_long_text():
    """A text node beyond 10 MB, where the parser's default ends, is read whole."""
    body = "<p>" + "x" * 10_500_000 + "</p><p>after"

    text = html(f"<pre>{body}</pre>")

    assert len(text.split()[0]) == 10_500_000
    assert text.endswith("after")


# PDF


def test_pdf_pages():
    """Pages are parted by one form feed, pages without text included."""
    text = read_pdf(pdf(lines(b"First page", b"line two"), b"", lines(b"Third")), "a.pdf")

    assert text == "First page\nline two\f\fThird"


def test_pdf_form_feeds_within_a_page():
    """A form feed in a page's text is a space: only page ends are form feeds."""
    text = read_pdf(pdf(lines(rb"a\014b"), lines(b"c")), "a.pdf")

    assert text == "a b\fc"


def test_pdf_hyphen():
    """A hyphen at a line's end stays one, and no control character comes in its place."""
    text = read_pdf(pdf(lines(b"inter-", b"national trade")), "a.pdf")

    assert text.replace("\n", "") == "inter-national trade"


def test_pdf_without_text():
    """Pages without text are not the same error as an empty file, and they are counted."""
    with pytest.raises(ImageOnlyDocument, match="none of its 2 pages"):
        read_pdf(pdf(b"", b"0 0 100 100 re f"), "a.pdf")


def test_pdf_with_a_password():
    """A PDF that asks for a password is named as such."""
    with pytest.raises(EncryptedDocument, match="qpdf --decrypt"):
        read_pdf(pdf(lines(b"secret"), password=b"letmein"), "a.pdf")


def test_pdf_with_an_owner_password_only():
    """A PDF that anyone may open, though encrypted, is read."""
    text = read_pdf(pdf(lines(b"open to all"), password=b""), "a.pdf")

    assert text == "open to all"


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"%PDF-1.7 garbage",
        pdf(lines(b"text"))[:200],
        pdf(lines(b"text"))[:-60],
        pdf(),
        pdf(lines(b"one"), lines(b"two")).replace(b"[4 0 R 6 0 R]", b"[4 0 R 9 0 R]"),
    ],
    ids=["text", "head only", "truncated early", "truncated late", "no pages", "a page missing"],
)
def test_broken_pdf(data: bytes):
    """A PDF that is broken or incomplete is an error, never part of the text."""
    with pytest.raises(UnreadableDocument, match="not a PDF that can be opened"):
        read_pdf(data, "a.pdf")


def test_compressed_pdf():
    """Deflated pages are read."""
    assert read_pdf(compressed(lines(b"Revenue grew.")), "a.pdf") == "Revenue grew."


def test_pdf_text_is_counted_page_by_page(monkeypatch: pytest.MonkeyPatch):
    """Reading stops at the page that goes beyond the bound, not at the end of the document."""
    monkeypatch.setattr(pdf_reader, "MAX_CHARACTERS", 15)
    pages = [lines(b"ten-letter")] * 3

    assert read_pdf(pdf(pages[0]), "a.pdf") == "ten-letter"
    with pytest.raises(DocumentTooLarge, match="longer than 15 characters"):
        read_pdf(pdf(*pages), "a.pdf")
