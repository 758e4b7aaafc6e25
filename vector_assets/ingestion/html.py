"""The text of HTML: a line for each paragraph, and a line for each table row with its cells side by side."""

import codecs
import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..errors import EmptyDocument, NulBytes, UnreadableDocument, WrongEncoding

if TYPE_CHECKING:
    from inscriptis.model.html_document_state import HtmlDocumentState
    from inscriptis.model.table import TableCell
    from lxml.html import HtmlElement

_CELL_GAP = "  "
# HTML demands that a document names its charset in the first 1,024 bytes.
_CHARSET = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""", re.IGNORECASE
)
_CHARSET_BYTES = 1024
# Browsers read another encoding than the one that is named (https://encoding.spec.whatwg.org/#names-and-labels): many
# pages that name a small charset contain characters of its superset, and a page that names UTF-16 in ASCII letters is
# not written in UTF-16.
_BROWSER_ENCODINGS = {
    "ascii": "cp1252",
    "big5": "big5hkscs",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "utf-8": "utf-8-sig",
    "utf-16": "utf-8-sig",
    "utf-16-be": "utf-8-sig",
    "utf-16-le": "utf-8-sig",
}
# Python can decode these, but no document is written in them.
_NOT_FOR_DOCUMENTS = {"charmap", "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
_HIDDEN_STYLE = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)
_PRESERVED_LINES_STYLE = re.compile(r"\bwhite-space\s*:\s*(?:pre|break-spaces)", re.IGNORECASE)
# inscriptis unescapes text that is unescaped already, so that R&amp;lt would become R<. A noncharacter, which Unicode
# reserves for such uses, replaces the ampersand until the text is extracted.
_ESCAPED_AMPERSAND = re.compile(r"&(?:amp|#0*38|#x0*26);", re.IGNORECASE)
_AMPERSAND_MARK = "\ufdd0"
_SPACES = re.compile(r"[ \t\xa0]{2,}")
_LINE_END_SPACES = re.compile(r"[ \t\xa0]+$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{3,}")


def read_html(data: bytes, document: str) -> str:
    """Return the text that a browser would show. The cells of a table row are separated by two spaces, not padded.

    Raises:
        WrongEncoding: the bytes are not in the encoding that the document names (UTF-8 if it names none).
        NulBytes, EmptyDocument, UnreadableDocument.
    """
    import lxml.etree
    import lxml.html
    from inscriptis import Inscriptis
    from inscriptis.css_profiles import CSS_PROFILES
    from inscriptis.model.config import ParserConfig
    from inscriptis.model.tag import CustomHtmlTagHandlerMapping

    source = _ESCAPED_AMPERSAND.sub(_AMPERSAND_MARK, _decode(data, document))
    # lxml does not parse a string that names an encoding in an XML declaration, so it gets bytes. Without huge_tree it
    # silently drops text in 256 nested elements (a page that never closes its <font>) and text beyond 10 MB.
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        tree = lxml.html.document_fromstring(source.encode("utf-8"), parser=parser)
        for element in tree.iter(lxml.etree.Element):
            _simplify_style(element)
        handlers = CustomHtmlTagHandlerMapping({"table": _open_table}, {})
        config = ParserConfig(css=CSS_PROFILES["strict"], custom_html_tag_handler_mapping=handlers)
        text = Inscriptis(tree, config).get_text()
    except lxml.etree.ParserError as error:
        raise EmptyDocument(document) from error
    except RecursionError as error:
        raise UnreadableDocument(document, "its elements are nested too deep") from error
    except (lxml.etree.LxmlError, ValueError) as error:
        raise UnreadableDocument(document, f"not HTML that can be parsed ({error})") from error
    text = text.replace(_AMPERSAND_MARK, "&")
    text = _LINE_END_SPACES.sub("", _SPACES.sub(_CELL_GAP, text))
    return _EMPTY_LINES.sub("\n\n", text).strip("\n")


class _Table:
    """Replaces the table of inscriptis, which pads each cell to the width of its column, so that text may explode."""

    def __init__(self) -> None:
        self._rows: list[list[TableCell]] = []

    def add_row(self) -> None:
        self._rows.append([])

    def add_cell(self, cell: "TableCell") -> None:
        if not self._rows:
            self.add_row()
        self._rows[-1].append(cell)

    def get_text(self) -> str:
        for cell in (cell for row in self._rows for cell in row):
            cell.normalize_blocks()
        lines = [line for row in self._rows for line in zip_longest(*(cell.blocks for cell in row), fillvalue="")]
        return "\n".join(_CELL_GAP.join(line) for line in lines) + "\n"

    def get_annotations(self, *_: int) -> list[object]:
        return []


def _open_table(state: "HtmlDocumentState", _: object) -> None:
    from inscriptis.model.canvas import Canvas

    # The text right before a table gets a line of its own.
    state.tags[-2].canvas.flush_inline()
    state.tags[-1].set_canvas(Canvas())
    state.current_table.append(_Table())


def _simplify_style(element: "HtmlElement") -> None:
    """Keep only styles that hide text or preserve its lines, because inscriptis fails on lengths that are too large."""
    style = element.attrib.pop("style", "")
    if "hidden" in element.attrib or element.tag == "template" or _HIDDEN_STYLE.search(style):
        element.set("style", "display: none")
    elif _PRESERVED_LINES_STYLE.search(style):
        element.set("style", "white-space: pre")


def _decode(data: bytes, document: str) -> str:
    if b"\0" in data:
        raise NulBytes(document)
    label = _named_encoding(data)
    try:
        encoding = codecs.lookup(label).name
        if encoding in _NOT_FOR_DOCUMENTS:
            raise LookupError(label)
        return data.decode(_BROWSER_ENCODINGS.get(encoding, encoding))
    except UnicodeDecodeError as error:
        raise WrongEncoding(document, label, error.start) from error
    except LookupError as error:
        raise UnreadableDocument(document, f"it names an unknown encoding, {label!r}") from error


def _named_encoding(data: bytes) -> str:
    """Return the encoding that the document names. A byte order mark takes precedence, as in browsers."""
    named = _CHARSET.search(data[:_CHARSET_BYTES])
    if named is None or data.startswith(codecs.BOM_UTF8):
        return "utf-8"
    return named[1].decode("ascii").lower()
