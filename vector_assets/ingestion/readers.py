"""Files are read as text without loss. Their bytes show which reader they need, and their names help."""

from collections.abc import Callable
from pathlib import Path

from ..domain.documents import DocumentText
from ..domain.wording import readable_bytes
from ..errors import DocumentTooLarge, EmptyDocument, NulBytes, UnreadableDocument, UnsupportedFormat
from .containers import is_archive, is_page, is_submission, read_archive, read_submission, read_text
from .document_limits import MAX_CHARACTERS, MAX_FILE_BYTES
from .html import read_html
from .pdf import is_pdf, read_pdf

READERS_VERSION = 6
"""Increase this number when a reader returns another text for the same file. Then every document is read again."""

FORMATS = (".pdf", ".html", ".htm", ".mhtml", ".mht", ".txt", ".md")

# How files of other formats begin, whatever their names end in. RTF and PostScript are letters, so that their commands
# would be read as text, and the advice to change the encoding of the others would make text of them.
_OTHER_FORMATS = {
    b"{\\rtf": "RTF",
    b"%!PS": "PostScript",
    b"PK\x03\x04": "ZIP, as office programs write it too",
    b"\xd0\xcf\x11\xe0": "that of an older office program",
    b"\x1f\x8b": "gzip",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}

_Reader = Callable[[bytes, str], str | DocumentText]


def read_document(path: Path, document: str) -> str:
    """Return the text of a trusted file. It is read in this process, wherever it lies and however long that takes.

    Raises:
        DocumentError: the document cannot be used; the subclass says why.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UnreadableDocument(document, f"it cannot be opened ({error.strerror})") from error
    return extract_text(data, path.suffix, document).text


def extract_text(data: bytes, suffix: str, document: str) -> DocumentText:
    """Return the text of a file's bytes, the pages of a PDF separated by form feeds. Errors name the `document`.

    Raises:
        DocumentError: the document cannot be used; the subclass says why.
    """
    if len(data) > MAX_FILE_BYTES:
        raise DocumentTooLarge(document, f"it is larger than {readable_bytes(MAX_FILE_BYTES)}")
    if not data.strip():
        raise EmptyDocument(document)
    for start, name in _OTHER_FORMATS.items():
        if data.startswith(start):
            raise UnsupportedFormat(document, FORMATS, name)
    read = _reader_of(data, suffix)(data, document)
    found = DocumentText(read) if isinstance(read, str) else read
    if len(found.text) > MAX_CHARACTERS:
        raise DocumentTooLarge(document, f"its text is longer than {MAX_CHARACTERS:,} characters")
    if "\0" in found.text:
        raise NulBytes(document)
    if not found.text.strip():
        raise EmptyDocument(document)
    return found


def is_plain_text(data: bytes, suffix: str) -> bool:
    """Return whether the time and memory to read the file are bounded by its size."""
    return _reader_of(data, suffix) is read_text


def _reader_of(data: bytes, suffix: str) -> _Reader:
    """Choose the reader. A file that begins as one kind does is of that kind, whatever its name ends in."""
    suffix = suffix.lower()
    if suffix == ".pdf" or is_pdf(data):
        return read_pdf
    if is_submission(data):
        return read_submission
    if is_archive(data):
        return read_archive
    if suffix in {".html", ".htm"} or is_page(data):
        return read_html
    return read_text
