"""The text of HTML: a line for each paragraph, and a line for each table row with its cells side by side."""

import re

from ..errors import EmptyDocument, PlaceholderDocument
from .charsets import decode_html
from .page_layout import PageLayout
from .page_styles import PageStyles

_LINE_END_SPACES = re.compile(r" +$", re.MULTILINE)
# Pages within pages within pages are not written by people.
_MAX_INNER_PAGES = 3


def read_html(data: bytes, document: str, label: str = "") -> str:
    """Return the text that a browser would show. The cells of a table row are separated by two spaces, not padded.

    `label` is the charset that the file around the page names for it.

    Raises:
        WrongEncoding: the bytes are not in the encoding that the document names (UTF-8 if it names none).
        PlaceholderDocument: the page shows other files only.
        NulBytes, EmptyDocument, UnreadableDocument.
    """
    text = read_page(decode_html(data, document, label), document)
    if not text:
        raise EmptyDocument(document)
    return text


def read_page(source: str, document: str, inner: int = 0) -> str:
    """Return the text that a browser would show of a page's source; nothing if it shows none.

    Raises:
        PlaceholderDocument: the page shows other files only.
    """
    import turbohtml

    page = turbohtml.parse(source, positions=False, scripting=True)
    if page.select_one("frameset") is not None:
        raise PlaceholderDocument(
            document,
            "it is a page of frames, whose text is in other files",
            "Put the files that it shows here instead.",
        )
    if inner < _MAX_INNER_PAGES:
        for frame in page.select("iframe[srcdoc]"):
            shown = turbohtml.Element(
                "pre", None, [turbohtml.Text(read_page(frame.attr("srcdoc") or "", document, inner + 1))]
            )
            frame.replace_with(shown)
    text = PageLayout(PageStyles(page)).text_of(page)
    return _LINE_END_SPACES.sub("", text).strip("\n ")
