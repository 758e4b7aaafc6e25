"""Text out of files, without loss: one reader a format."""

from collections.abc import Callable
from pathlib import Path

from ..domain.wording import readable_bytes
from ..errors import DocumentTooLarge, EmptyDocument, NulBytes, UnreadableDocument, WrongEncoding
from .document_limits import MOST_BYTES, MOST_CHARACTERS
from .html import read_html
from .pdf import read_pdf

READERS_VERSION = 2
"""Raised when a reader gives other text for the same file, so that every document is read again."""


def read_document(path: Path, document: str) -> str:
    """`text_of` a file that is trusted: it is parsed here, wherever it lies and however long that takes.

    Raises:
        DocumentError: it cannot be used; the subclass says why.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableDocument(document, f"it cannot be opened ({error.strerror})") from error
    return text_of(data, path.suffix, document)


def text_of(data: bytes, suffix: str, document: str) -> str:
    """A file's text; pages of a PDF are parted by form feeds. `document` is its name in errors.

    Raises:
        DocumentError: it cannot be used; the subclass says why.
    """
    if len(data) > MOST_BYTES:
        raise DocumentTooLarge(document, f"it is larger than {readable_bytes(MOST_BYTES)}")
    if not data.strip():
        raise EmptyDocument(document)
    text = _READERS[suffix.lower()](data, document)
    if len(text) > MOST_CHARACTERS:
        raise DocumentTooLarge(document, f"its text is longer than {MOST_CHARACTERS:,} characters")
    if "\0" in text:
        raise NulBytes(document)
    if not text.strip():
        raise EmptyDocument(document)
    return text


def read_plain(data: bytes, document: str) -> str:
    """UTF-8, a byte order mark left out.

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
    ".txt": read_plain,
    ".md": read_plain,
}

FORMATS = tuple(_READERS)
PLAIN = tuple(suffix for suffix, reader in _READERS.items() if reader is read_plain)
"""Formats whose reading is bounded by their size."""
