"""Text out of PDFs."""

from ..errors import DocumentError, EncryptedDocument, ImageOnlyDocument, UnreadableDocument

# What PDFium writes for a hyphen at a line's end, for the line ends of its own, and for glyphs that have no character.
_PDFIUM_SPELLING = str.maketrans({"\x02": "-", "\ufffe": "-", "\r": None, "\0": "\ufffd"})
# The page break is the one form feed; those inside a page's text are spacing.
_PAGE_BREAK = "\f"


def read_pdf(data: bytes, document: str) -> str:
    """The text layer, page by page, parted by form feeds.

    Raises:
        EncryptedDocument: it asks for a password.
        ImageOnlyDocument: no page has text.
        UnreadableDocument: it is not a PDF, or broken.
    """
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(data) as pdf:
            pages = [_page_text(pdf, number) for number in range(len(pdf))]
    except pypdfium2.PdfiumError as error:
        raise _explained(error, document) from error
    if not any(page.strip() for page in pages):
        raise ImageOnlyDocument(document, len(pages))
    return _PAGE_BREAK.join(pages)


def _page_text(pdf: "object", number: int) -> str:
    page = pdf[number]  # type: ignore[index]
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
