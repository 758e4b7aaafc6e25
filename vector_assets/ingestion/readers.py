"""Files are read as text without loss, with one reader for each format."""

from collections.abc import Callable
from pathlib import Path

from ..domain.wording import readable_bytes
from ..errors import DocumentTooLarge, EmptyDocument, NulBytes, UnreadableDocument, WrongEncoding
from .document_limits import MAX_CHARACTERS, MAX_FILE_BYTES
from .html import read_html
from .pdf import read_pdf

READERS_VERSION = 2
"""Increase this number when a reader returns another text for the same file. Then every document is read again."""


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
    return extract_text(data, path.suffix, document)


def extract_text(data: bytes, suffix: str, document: str) -> str:
    """Return the text of a file's bytes, the pages of a PDF separated by form feeds. Errors name the `document`.

    Raises:
        DocumentError: the document cannot be used; the subclass says why.
    """
    if len(data) > MAX_FILE_BYTES:
        raise DocumentTooLarge(document, f"it is larger than {readable_bytes(MAX_FILE_BYTES)}")
    if not data.strip():
        raise EmptyDocument(document)
    text = _READERS[suffix.lower()](data, document)
    if len(text) > MAX_CHARACTERS:
        raise DocumentTooLarge(document, f"its text is longer than {MAX_CHARACTERS:,} characters")
    if "\0" in text:
        raise NulBytes(document)
    if not text.strip():
        raise EmptyDocument(document)
    return text


def read_plain_text(data: bytes, document: str) -> str:
    """Decode UTF-8, and leave out a byte order mark.

    Raises:
        NulBytes, WrongEncoding.
    """
    if b"\0" in data:
        raise NulBytes(document)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongEncoding(document, "utf-8", error.start) from error


_READERS: dict[str, Callable[[bytes, str], str]] = {
    ".pdf": read_pdf,
    ".html": read_html,
    ".htm": read_html,
    ".txt": read_plain_text,
    ".md": read_plain_text,
}

FORMATS = tuple(_READERS)
PLAIN_TEXT_FORMATS = tuple(suffix for suffix, reader in _READERS.items() if reader is read_plain_text)
"""Formats whose reading time and memory are bounded by the size of the file."""
