"""Text out of HTML: paragraphs as lines, table rows as lines with their cells side by side."""

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
# A charset is looked for where HTML wants it to stand: in the first 1,024 bytes.
_CHARSET = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""", re.IGNORECASE
)
_CHARSET_WITHIN = 1024
# What browsers read in place of what is named (https://encoding.spec.whatwg.org/#names-and-labels): many pages that
# name a small charset hold its superset's characters, and one that can be seen to name UTF-16 is not in it.
_READ_AS = {
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
# Python decodes these too, but no document is written in them.
_NO_CHARSETS = {"charmap", "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
_HIDES = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)
_KEEPS_LINES = re.compile(r"\bwhite-space\s*:\s*(?:pre|break-spaces)", re.IGNORECASE)
# inscriptis unescapes what is unescaped already, so that R&amp;lt would become R<. A noncharacter, which Unicode keeps
# for such uses, stands for the ampersand on the way through.
_AMPERSAND_ESCAPED = re.compile(r"&(?:amp|#0*38|#x0*26);", re.IGNORECASE)
_AMPERSAND = "\ufdd0"
_SPACES = re.compile(r"[ \t\xa0]{2,}")
_LINE_END_SPACES = re.compile(r"[ \t\xa0]+$", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{3,}")


def read_html(data: bytes, document: str) -> str:
    """What a browser would show, tables as rows; columns are parted by two spaces instead of padded.

    Raises:
        WrongEncoding: the bytes are not in the encoding that the document names (UTF-8 if none).
        NulBytes, EmptyDocument, UnreadableDocument.
    """
    import lxml.etree
    import lxml.html
    from inscriptis import Inscriptis
    from inscriptis.css_profiles import CSS_PROFILES
    from inscriptis.model.config import ParserConfig
    from inscriptis.model.tag import CustomHtmlTagHandlerMapping

    source = _AMPERSAND_ESCAPED.sub(_AMPERSAND, _decode(data, document))
    # lxml refuses text that still names an encoding in an XML declaration. Without huge_tree it drops, in silence, what
    # lies 256 elements deep (a page that never closes its <font>) and text beyond 10 MB.
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
    text = text.replace(_AMPERSAND, "&")
    text = _LINE_END_SPACES.sub("", _SPACES.sub(_CELL_GAP, text))
    return _EMPTY_LINES.sub("\n\n", text).strip("\n")


class _Table:
    """In place of inscriptis' own, which pads each cell to its column's width: gigabytes where one cell is long."""

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

    # Text right before a table has a line of its own.
    state.tags[-2].canvas.flush_inline()
    state.tags[-1].set_canvas(Canvas())
    state.current_table.append(_Table())


def _simplify_style(element: "HtmlElement") -> None:
    """Leave of an element's style what hides text or keeps its lines; inscriptis fails on lengths beyond all bounds."""
    style = element.attrib.pop("style", "")
    if "hidden" in element.attrib or element.tag == "template" or _HIDES.search(style):
        element.set("style", "display: none")
    elif _KEEPS_LINES.search(style):
        element.set("style", "white-space: pre")


def _decode(data: bytes, document: str) -> str:
    if b"\0" in data:
        raise NulBytes(document)
    label = _named_encoding(data)
    try:
        encoding = codecs.lookup(label).name
        if encoding in _NO_CHARSETS:
            raise LookupError(label)
        return data.decode(_READ_AS.get(encoding, encoding))
    except UnicodeDecodeError as error:
        raise WrongEncoding(document, label, error.start) from error
    except LookupError as error:
        raise UnreadableDocument(document, f"it names an unknown encoding, {label!r}") from error


def _named_encoding(data: bytes) -> str:
    """What the document says of itself; a byte order mark goes before that, as in browsers."""
    named = _CHARSET.search(data[:_CHARSET_WITHIN])
    if named is None or data.startswith(codecs.BOM_UTF8):
        return "utf-8"
    return named[1].decode("ascii").lower()
