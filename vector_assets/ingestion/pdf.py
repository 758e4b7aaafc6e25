"""The text of PDFs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import DocumentError, DocumentTooLarge, EncryptedDocument, ImageOnlyDocument, UnreadableDocument
from .document_limits import MAX_CHARACTERS, MAX_PAGES

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

# How PDFium writes a hyphen at the end of a line, the line breaks that it adds, and glyphs that have no character.
_PDFIUM_SPELLING = str.maketrans({"\x02": "-", "\ufffe": "-", "\r": None, "\0": "\ufffd"})
# A form feed marks a page break and nothing else. Form feeds inside the text of a page become spaces.
_PAGE_BREAK = "\f"


def read_pdf(data: bytes, document: str) -> str:
    """Return the text layer, its pages separated by form feeds.

    Raises:
        EncryptedDocument: the file asks for a password.
        ImageOnlyDocument: no page has text.
        DocumentTooLarge: the file has too many pages, or too much text.
        UnreadableDocument: the file is not a PDF, or is broken.
    """
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(data) as pdf:
            pages = list(_page_texts(pdf, document))
    except pypdfium2.PdfiumError as error:
        raise _document_error(error, document) from error
    if not any(page.strip() for page in pages):
        raise ImageOnlyDocument(document, len(pages))
    return _PAGE_BREAK.join(pages)


def _page_texts(pdf: "PdfDocument", document: str) -> Iterator[str]:
    # A file of a few bytes may declare millions of pages.
    if len(pdf) > MAX_PAGES:
        raise DocumentTooLarge(document, f"it has {len(pdf):,} pages, more than {MAX_PAGES:,}")
    characters = 0
    for number in range(len(pdf)):
        text = _page_text(pdf, number)
        characters += len(text)
        if characters > MAX_CHARACTERS:
            raise DocumentTooLarge(document, f"its text is longer than {MAX_CHARACTERS:,} characters")
        yield text


def _page_text(pdf: "PdfDocument", number: int) -> str:
    page = pdf[number]
    text_page = page.get_textpage()
    try:
        text = str(text_page.get_text_bounded())
    finally:
        text_page.close()
        page.close()
    text = text.translate(_PDFIUM_SPELLING).replace(_PAGE_BREAK, " ")
    # Half of a surrogate pair stands for a character that the file does not name.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _document_error(error: Exception, document: str) -> DocumentError:
    if "password" in str(error).lower():
        return EncryptedDocument(document)
    return UnreadableDocument(document, f"not a PDF that can be opened ({error})")
