"""The reader of a file is chosen by its bytes and its name, and gives the text or one of our errors."""

import codecs
from pathlib import Path

import pytest

from vector_assets.errors import DocumentTooLarge, EmptyDocument, UnreadableDocument, UnsupportedFormat
from vector_assets.ingestion import document_limits as bounds
from vector_assets.ingestion import readers
from vector_assets.ingestion.readers import extract_text, read_document

from .pdfs import lines, pdf


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


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (rb"{\rtf1\ansi{\fonttbl{\f0 Times;}}\f0 Net sales rose.\par}", "RTF"),
        (b"%!PS-Adobe-3.0\n(Net sales rose.) show", "PostScript"),
        (b"PK\x03\x04\x14\0\x06\0word/document.xml", "ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64), "older office program"),
        (b"\x1f\x8b\x08\0\0", "gzip"),
    ],
)
@pytest.mark.parametrize("suffix", [".txt", ".htm"])
def test_another_format_under_the_name_of_text(data: bytes, name: str, suffix: str):
    """Neither its commands are read as text, nor is another encoding advised."""
    with pytest.raises(UnsupportedFormat, match=rf"its format \(.*{name}.*\) is not supported\. Convert it to one of"):
        extract_text(data, suffix, "a")


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

    assert extract_text(b"x" * 10, ".txt", "a.txt").text == "x" * 10
    with pytest.raises(DocumentTooLarge, match="longer than 10 characters"):
        extract_text(b"x" * 11, ".txt", "a.txt")


@pytest.mark.parametrize("suffix", [".txt", ".md", ".htm"])
def test_names_that_are_wrong(suffix: str):
    """A PDF or a page is read as what it is, whatever its name ends in."""
    page = b"\xef\xbb\xbf\n<!-- saved --><!DOCTYPE html><p>Net&nbsp;sales</p>"

    assert extract_text(page, suffix, "a").text == "Net sales"
    assert extract_text(pdf(lines(b"Net sales")), suffix, "a").text == "Net sales"


def test_text_about_tags():
    """Plain text that speaks of tags stays as it is."""
    text = "The page began with <html> and <DOCUMENT>.\nSubject: MIME-Version: 1.0\n"

    assert extract_text(text.encode(), ".txt", "a").text == text
