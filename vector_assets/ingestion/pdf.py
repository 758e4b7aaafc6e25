"""Text out of PDFs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import DocumentError, DocumentTooLarge, EncryptedDocument, ImageOnlyDocument, UnreadableDocument
from .document_limits import MOST_CHARACTERS, MOST_PAGES

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

# What PDFium writes for a hyphen at a line's end, for the line ends of its own, and for glyphs that have no character.
_PDFIUM_SPELLING = str.maketrans({"\x02": "-", "\ufffe": "-", "\r": None, "\0": "\ufffd"})
# The page break is the one form feed; those inside a page's text are spacing.
_PAGE_BREAK = "\f"


def read_pdf(data: bytes, document: str) -> str:
    """The text layer, page by page, parted by form feeds.

    Raises:
        EncryptedDocument: it asks for a password.
        ImageOnlyDocument: no page has text.
        DocumentTooLarge: it has too many pages, or too much text.
        UnreadableDocument: it is not a PDF, or broken.
    """
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(data) as pdf:
            pages = list(_page_texts(pdf, document))
    except pypdfium2.PdfiumError as error:
        raise _explained(error, document) from error
    if not any(page.strip() for page in pages):
        raise ImageOnlyDocument(document, len(pages))
    return _PAGE_BREAK.join(pages)


def _page_texts(pdf: "PdfDocument", document: str) -> Iterator[str]:
    # A file of some bytes may claim millions of pages.
    if len(pdf) > MOST_PAGES:
        raise DocumentTooLarge(document, f"it has {len(pdf):,} pages, more than {MOST_PAGES:,}")
    characters = 0
    for number in range(len(pdf)):
        text = _page_text(pdf, number)
        characters += len(text)
        if characters > MOST_CHARACTERS:
            raise DocumentTooLarge(document, f"its text is longer than {MOST_CHARACTERS:,} characters")
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


def _explained(error: Exception, document: str) -> DocumentError:
    if "password" in str(error).lower():
        return EncryptedDocument(document)
    return UnreadableDocument(document, f"not a PDF that can be opened ({error})")
