"""Whatever comes in, a result or an error of ours goes out: no other exception, no crash, no hang.

Each test says how many inputs it makes: 12,400 together.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.reading_fuzz import charset_outcome, pdf_outcome
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.partition_patterns import PartitionPattern
from vector_assets.errors import DocumentError, InvalidManifest, InvalidPartitionKey, InvalidPattern, VectorAssetsError
from vector_assets.ingestion.landing_directory import LandingDirectory, LandingScan
from vector_assets.ingestion.reader_process import ReaderProcess
from vector_assets.ingestion.readers import extract_text

from .pdfs import compressed, lines, nested_forms, pdf


def inputs(count: int) -> settings:
    """So many; how long one takes is no matter of this test, for machines are busy at times."""
    return settings(max_examples=count, deadline=None)


def error_of(call: Callable[[], object], kind: type[VectorAssetsError]) -> str:
    """What an error of ours says, in one line; empty where there is none."""
    try:
        call()
    except kind as error:
        message = str(error)
    else:
        return ""
    assert "\n" not in message
    return message


def check(read: Callable[[], str]) -> None:
    """Text that the database stores, or one of our errors that was foreseen."""
    text = ""

    def remember() -> None:
        nonlocal text
        text = read()

    if said := error_of(remember, DocumentError):
        assert "the reader failed on it" not in said
        return
    assert text.strip()
    assert "\0" not in text
    text.encode("utf-8")


# Bytes that are no document at all

FORMATS = st.sampled_from([".txt", ".md", ".html", ".htm", ".pdf"])


@inputs(2_000)
@given(st.binary(max_size=400), FORMATS)
def test_any_bytes(data: bytes, suffix: str) -> None:
    """Bytes of no format."""
    check(lambda: extract_text(data, suffix, "document").text)


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030", "big5hkscs", "cp1252", "shift_jis"]


@inputs(1_500)
@given(st.text(max_size=60), st.sampled_from(ENCODINGS), st.sampled_from([".txt", ".md", ".html"]), st.integers(0, 3))
def test_any_encoding(text: str, encoding: str, suffix: str, missing: int) -> None:
    """Text of any language in any encoding, perhaps ending within a character."""
    data = text.encode(encoding, "replace")

    check(lambda: extract_text(data[: len(data) - missing], suffix, "document").text)


# HTML

TAGS = ["table", "tr", "td", "th", "caption", "p", "div", "font", "ul", "ol", "li", "pre", "html", "head", "body",
        "script", "style", "template", "title", "textarea", "select", "option", "q", "a", "br", "img", "svg", "math",
        "ix:header", "frameset", "noscript", "plaintext", "x"]  # fmt: skip
ATTRIBUTES = ["", " style='display:none'", " hidden", " style='padding-left:9999em;white-space:pre'", " start=x",
              " start=9e99", " rowspan=-1 colspan=99999999", " valign=x align=\"", " style=", " ="]  # fmt: skip
PIECES = [b"word ", "公司".encode(), b"&#0;", b"&#xD800;", b"&#xFFFE;", b"&#x110000;", b"&#99999999999;", b"&amp;",
          b"&lt", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<meta charset=gbk>", b"<meta charset=utf-16>", b"<?xml ",
          b"<?xml version='1.0' encoding='x'?>", b"<!DOCTYPE", b"<!ENTITY a 'b'>", b"&a;", b"</", b"<", b"\xef\xbf\xbf",
          "\ufdd0".encode(), b"\x0c\x0b\x1c", b"\r\n\t", b"\xff"]  # fmt: skip


def tags() -> st.SearchStrategy[bytes]:
    opened = st.builds("<{}{}>".format, st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES))
    closed = st.builds("</{}>".format, st.sampled_from(TAGS))
    return (opened | closed).map(str.encode)


TAG_SOUP = st.lists(
    tags() | tags() | st.sampled_from(PIECES) | st.text(max_size=8).map(str.encode), max_size=40
).map(b"".join)  # fmt: skip


@inputs(2_000)
@given(TAG_SOUP)
def test_any_tags(data: bytes) -> None:
    """Any order of tags, closed or not."""
    check(lambda: extract_text(data, ".html", "document").text)


@inputs(400)
@given(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES)), min_size=1, max_size=4),
    st.integers(1, 2_000),
)
def test_elements_nested_deep(elements: list[tuple[str, str]], depth: int) -> None:
    """Elements nested as deep as one likes."""
    opened = "".join(f"<{tag}{attribute}>" for tag, attribute in elements)

    check(lambda: extract_text((opened * depth + "deep").encode(), ".html", "document").text)


@inputs(300)
@given(
    st.sampled_from(["a", "style", "start", "rowspan", "href", "x:y", "公司"]),
    st.sampled_from(["x", "9", " ", "&amp;", "display:none;", "'", "公司"]),
    st.integers(0, 20_000),
    st.integers(1, 200),
)
def test_huge_attributes(name: str, value: str, length: int, count: int) -> None:
    """Attributes whose values, names and number are huge."""
    attributes = f' {name}="{value * length}"' + "".join(f" {name}{number}=1" for number in range(count))

    check(lambda: extract_text(f"<p{attributes}>x<{name * length}>y".encode(), ".html", "document").text)


# PDF

PAGES = (lines(b"First page"), lines(b"Second page", b"its second line"))
# The page is made to hold little else than what is being mutated, so that changes hit something that matters.
PDFS = [
    pdf(*PAGES),
    pdf(*PAGES, password=b""),
    compressed(PAGES[1]),
    nested_forms(4, 1),
    pdf(b"BT /F 12 Tf 72 700 Td <FEFF516C53F8> Tj 3 Tr 9e99 Tz [(a) -1e9 (b)] TJ ET BI /W 9 /H 9 ID x EI"),
]


def replaced(data: bytes, places: list[tuple[float, int]]) -> bytes:
    changed = bytearray(data)
    for place, byte in places:
        changed[int(place * len(data))] = byte
    return bytes(changed)


def spliced(data: bytes, start: float, stop: float, middle: bytes) -> bytes:
    return data[: int(start * len(data))] + middle + data[int(stop * len(data)) :]


SHARES = st.floats(0, 1, exclude_max=True)
NUMBERS = st.sampled_from([b"0", b"-1", b"65535", b"2147483648", b"99999999999999999999", b"1e400", b"4 0 R", b"<<",
                           b"[", b"endobj", b"null", b"/Kids[1 0 R]", b"/Count 900000000", b"/Length 0"])  # fmt: skip
MUTATED = st.one_of(
    st.builds(replaced, st.sampled_from(PDFS), st.lists(st.tuples(SHARES, st.integers(0, 255)), min_size=1)),
    st.builds(spliced, st.sampled_from(PDFS), SHARES, SHARES, NUMBERS | st.binary(max_size=20)),
    st.builds(lambda data, stop: data[: int(stop * len(data))], st.sampled_from(PDFS), SHARES),
    st.builds(lambda number, data: data.replace(b"1", number), NUMBERS, st.sampled_from(PDFS)),
)
OPERATORS = st.lists(
    st.sampled_from([b"BT", b"ET", b"/F 12 Tf", b"/F 1e9 Tf", b"72 700 Td", b"(x) Tj", b"<00FF> Tj", b"[(x) 9 (y)] TJ",
                     b"q", b"Q", b"0 0 0 0 0 0 cm", b"1e30 0 0 1e30 0 0 cm", b"/X Do", b"BI", b"ID", b"EI", b"(", b")",
                     b"<<", b">>", b"T*", b"'", b"99 Tr", b"/Span <</ActualText(z)>> BDC", b"EMC"])
    | st.binary(max_size=6),
    max_size=30,
).map(b" ".join)  # fmt: skip


@pytest.fixture(scope="module")
def reader() -> Iterator[ReaderProcess]:
    """What ingestion uses: a crash of PDFium would be an error too, not the end of the tests."""
    with ReaderProcess(seconds=20) as reader:
        yield reader


@inputs(2_500)
@given(MUTATED)
def test_any_damage_to_a_pdf(reader: ReaderProcess, data: bytes) -> None:
    """A PDF with bytes changed, inserted or removed, a missing end, or absurd numbers in its objects."""
    check(lambda: reader.read(data, ".pdf", "document").text)


@inputs(700)
@given(OPERATORS)
def test_any_operators_in_a_pdf(reader: ReaderProcess, content: bytes) -> None:
    """A page that shows anything, in any order."""
    check(lambda: reader.read(compressed(content), ".pdf", "document").text)


@inputs(500)
@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_compressed_stream(reader: ReaderProcess, noise: bytes, at: int) -> None:
    """A page whose deflated content is damaged."""
    data = compressed(PAGES[0])
    content = zlib.compress(PAGES[0])
    damaged = content[:at] + noise + content[at + len(noise) :]

    check(lambda: reader.read(data.replace(content, damaged), ".pdf", "document").text)


# Keys, paths and manifests

KEYS = st.text(max_size=80) | st.lists(
    st.sampled_from(["us", "10-K", "AAPL", "00700", "..", ".", "", "*", "?", "\0", "公司", "\ud800", "\n", "x" * 65]),
    max_size=5,
).map("/".join)


@inputs(1_000)
@given(KEYS)
def test_any_key(text: str) -> None:
    """A key, or a pattern, that is read comes back as it was; all else is an error of ours."""
    if not error_of(lambda: PartitionKey.parse(text), InvalidPartitionKey):
        assert str(PartitionKey.parse(text)) == text
    if not error_of(lambda: PartitionPattern.parse(text), InvalidPattern):
        assert text.count("/") <= 2


def scanned(root: Path) -> LandingScan:
    """What lies there; everything has a name and a partition, or a reason, that the database stores."""
    scan = LandingDirectory(root).scan()
    for found in scan.documents:
        assert found.source_uri.startswith(f"{found.partition}/")
    for rejection in scan.rejections:
        assert "\0" not in rejection.source_uri
        rejection.message.encode("utf-8")
        assert len(rejection.message.splitlines()) == 1
    for source_uri in scan.fingerprints:
        source_uri.encode("utf-8")
    return scan


NAMES = st.lists(
    st.sampled_from([b"us", b"10-K", b"AAPL", b"00700", b"a.txt", b"b.PDF", b"...", b"README.md", "公司".encode()])
    | st.binary(min_size=1, max_size=12).filter(lambda name: not {0, 47} & {*name} and name not in (b".", b"..")),
    min_size=1,
    max_size=5,
)


@inputs(500)
@given(NAMES)
def test_any_path(names: list[bytes]) -> None:
    """A file anywhere in the landing directory, its folders and itself named with any bytes."""
    with TemporaryDirectory() as root:
        path = os.path.join(os.fsencode(root), *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass

        assert len(scanned(Path(root)).fingerprints) <= 1


CELLS = st.text(max_size=12) | st.sampled_from(
    ["path", "title", "us/10-K/AAPL/a.txt", "../../etc/passwd", "/etc/passwd", "us/../AAPL/a.txt", "\0", '"', '"a', "a"]
)
ROWS = st.lists(st.lists(CELLS, max_size=5).map(",".join), max_size=8).map("\n".join)


@inputs(1_000)
@given(
    ROWS.map(lambda rows: f"path,title\n{rows}".encode())
    | ROWS.map(lambda rows: rows.encode())
    | st.binary(max_size=80)
)
def test_any_manifest(data: bytes) -> None:
    """A manifest is read, and its rows are found missing, or it is refused in one line of ours."""
    with TemporaryDirectory() as root:
        (Path(root) / "manifest.csv").write_bytes(data)

        if not error_of(lambda: scanned(Path(root)), InvalidManifest):
            reasons = {rejection.error for rejection in scanned(Path(root)).rejections}
            assert reasons <= {"ManifestRowWithoutFile"}


# Nothing is lost: samples of `benchmarks/reading_fuzz.py`


def test_generated_pdfs() -> None:
    """Forms, notes, turned pages, Chinese fonts and scans: every word is read once, or a scan is refused."""
    # Of one page of the last one, PDFium's text within bounds joins two words.
    assert {pdf_outcome(seed) for seed in (*range(1, 61), 307)} == {"equal", "refused"}


def test_generated_charsets() -> None:
    """A text in any charset, labelled rightly or wrongly, is read as it is or refused, with advice that is true."""
    outcomes = {charset_outcome(seed) for seed in range(1, 201)}

    assert {outcome.split(" (")[0] for outcome in outcomes} == {"equal", "refused"}
