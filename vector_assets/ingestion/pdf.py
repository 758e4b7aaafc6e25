"""The text of PDFs: what a viewer shows on the pages, what was typed into forms and notes included."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from ..domain.documents import DocumentText
from ..errors import (
    DocumentError,
    DocumentTooLarge,
    EncryptedDocument,
    ImageOnlyDocument,
    PlaceholderDocument,
    UnreadableDocument,
)
from .document_limits import MAX_CHARACTERS, MAX_PAGES
from .pdf_annotations import page_with_annotations
from .pdf_damage import damaged_pages
from .pdf_pictures import is_picture

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

# How PDFium writes a hyphen at the end of a line, the line breaks that it adds, and glyphs that have no character.
_PDFIUM_SPELLING = str.maketrans({"\x02": "-", "\ufffe": "-", "\r": None, "\0": "\ufffd"})
# A form feed marks a page break and nothing else. Form feeds inside the text of a page become spaces.
_PAGE_BREAK = "\f"
# A scan with one page of text, e.g. a cover, is a scan.
_MAX_PICTURE_SHARE = 0.9
_HEADER_BYTES = 1024
# Of damaged pages, in a warning.
_MOST_NUMBERS = 5
# The only page of a form that Acrobat alone can show, in the languages of filings.
_XFA_NOTICE = re.compile(
    r"if this message is not eventually replaced|如果此消息最终|如果此訊息最終|如果這個訊息|このメッセージが最終的に",
    re.IGNORECASE,
)
_PORTFOLIO_NOTICE = re.compile(r"open this PDF portfolio|PDF portfolio in|PDF (?:包|作品集)", re.IGNORECASE)
_COLLECTION = re.compile(
    rb"/Type\s*/Catalog\b(?:(?!endobj).)*?/Collection\b|/Collection\b(?:(?!endobj).)*?/Type\s*/Catalog\b", re.DOTALL
)


def is_pdf(data: bytes) -> bool:
    """Return whether the file begins as a PDF does. Viewers look for its header in the first 1,024 bytes."""
    return b"%PDF-" in data[:_HEADER_BYTES]


def read_pdf(data: bytes, document: str) -> DocumentText:
    """Return the text layer, its pages separated by form feeds, and a warning of pages and files that are not read.

    Raises:
        EncryptedDocument: the file asks for a password.
        ImageOnlyDocument: no page has text, or more than nine tenths of the pages are pictures.
        PlaceholderDocument: the pages stand in place of a form or of files that only some programs show.
        DocumentTooLarge: the file has too many pages, or too much text.
        UnreadableDocument: the file is not a PDF, or is broken.
    """
    import pypdfium2

    try:
        with pypdfium2.PdfDocument(data) as pdf:
            _refuse_forms_of_acrobat(pdf, document)
            pages = _read_pages(pdf, data, document)
            attached = pdf.count_attachments()
            if attached:
                _refuse_portfolio(pdf, pages.texts, document)
    except pypdfium2.PdfiumError as error:
        raise _document_error(error, document) from error
    return DocumentText(_text_of(pages, document), _warning(pages, attached + pages.attached))


@dataclass
class _Pages:
    """The texts of pages; the number of pages that are pictures, and of files that are attached to pages.

    `damaged` are the numbers of the pages that cannot be read whole.
    """

    texts: list[str] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    pictures: int = 0
    attached: int = 0


def _text_of(pages: _Pages, document: str) -> str:
    if not any(text.strip() for text in pages.texts):
        if pages.damaged:
            raise UnreadableDocument(document, _damage(pages.damaged))
        raise ImageOnlyDocument(document, len(pages.texts))
    if pages.pictures > _MAX_PICTURE_SHARE * len(pages.texts):
        raise ImageOnlyDocument(document, len(pages.texts), pages.pictures)
    if len(pages.texts) <= 2 and _XFA_NOTICE.search("\n".join(pages.texts)):
        raise _xfa_error(document)
    return _PAGE_BREAK.join(pages.texts)


def _warning(pages: _Pages, attached: int) -> str:
    found = []
    if pages.damaged:
        found.append(f"{_damage(pages.damaged)}. Get it anew, or have a viewer print it to a PDF.")
    if pages.pictures:
        share = f"{pages.pictures:,} of {len(pages.texts):,} pages are pictures with next to no text"
        found.append(f"{share}. Run OCR, e.g. ocrmypdf --redo-ocr IN OUT.")
    if attached:
        found.append(f"files are attached to it and were not read ({attached:,}). Save them here beside the PDF.")
    return " ".join(found)


def _damage(damaged: list[int]) -> str:
    shown = ", ".join(str(number) for number in damaged[:_MOST_NUMBERS])
    more = f" and {len(damaged) - _MOST_NUMBERS:,} more" if len(damaged) > _MOST_NUMBERS else ""
    return f"text is missing on damaged {'pages' if len(damaged) > 1 else 'page'} {shown}{more}"


def _refuse_forms_of_acrobat(pdf: "PdfDocument", document: str) -> None:
    from pypdfium2 import raw

    kind = pdf.get_formtype()
    if kind == raw.FORMTYPE_XFA_FULL:
        raise _xfa_error(document)
    if kind in {raw.FORMTYPE_ACRO_FORM, raw.FORMTYPE_XFA_FOREGROUND}:
        pdf.init_forms()


def _xfa_error(document: str) -> PlaceholderDocument:
    problem = "it is a form (XFA) that only Adobe Acrobat shows, and its pages ask to wait"
    return PlaceholderDocument(document, problem, "Open it there, and print it to a PDF.")


def _refuse_portfolio(pdf: "PdfDocument", texts: list[str], document: str) -> None:
    """Refuse a PDF that is a folder of files, or has text in them only.

    PDFium does not say so, but its copy of the catalog is plain to read.
    """
    copy = BytesIO()
    pdf.save(copy)
    has_notice = len(texts) == 1 and _PORTFOLIO_NOTICE.search(texts[0])
    if _COLLECTION.search(copy.getvalue()) or has_notice or not any(text.strip() for text in texts):
        problem = f"it is a portfolio, whose text is in {pdf.count_attachments()} attached files"
        raise PlaceholderDocument(document, problem, "Save the files in it here instead.")


def _read_pages(pdf: "PdfDocument", data: bytes, document: str) -> _Pages:
    # A file of a few bytes may declare millions of pages.
    if len(pdf) > MAX_PAGES:
        raise DocumentTooLarge(document, f"it has {len(pdf):,} pages, more than {MAX_PAGES:,}")
    # Before the annotations are drawn into the pages.
    pages, characters = _Pages(damaged=damaged_pages(pdf, data)), 0
    for text in _page_texts(pdf, pages):
        characters += len(text)
        if characters > MAX_CHARACTERS:
            raise DocumentTooLarge(document, f"its text is longer than {MAX_CHARACTERS:,} characters")
        pages.texts.append(text)
    return pages


def _page_texts(pdf: "PdfDocument", pages: _Pages) -> Iterator[str]:
    for number in range(len(pdf)):
        page = pdf[number]
        try:
            shown = page_with_annotations(pdf, page, number)
            text = _spelled(shown.text)
            pages.pictures += is_picture(page, text)
            pages.attached += shown.attached
        finally:
            page.close()
        yield text


def _spelled(text: str) -> str:
    text = text.translate(_PDFIUM_SPELLING).replace(_PAGE_BREAK, " ")
    # Half of a surrogate pair stands for a character that the file does not name.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _document_error(error: Exception, document: str) -> DocumentError:
    if "password" in str(error).lower():
        return EncryptedDocument(document)
    return UnreadableDocument(document, f"not a PDF that can be opened ({error})")
