"""Text out of HTML: paragraphs as lines, table rows as lines with their cells side by side."""

import re

from ..errors import EmptyDocument, NulBytes, UnreadableDocument, WrongEncoding

_CELL_GAP = "  "
# A charset is looked for where HTML wants it to stand: in the first 1,024 bytes.
_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""")
_CHARSET_WITHIN = 1024
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

    source = _decode(data, document)
    # lxml refuses text that still names an encoding in an XML declaration.
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=False)
    try:
        tree = lxml.html.document_fromstring(source.encode("utf-8"), parser=parser)
        config = ParserConfig(css=CSS_PROFILES["strict"], table_cell_separator=_CELL_GAP)
        text = Inscriptis(tree, config).get_text()
    except lxml.etree.ParserError as error:
        raise EmptyDocument(document) from error
    except (lxml.etree.LxmlError, RecursionError, ValueError) as error:
        raise UnreadableDocument(document, f"not HTML that can be parsed ({error})") from error
    text = _LINE_END_SPACES.sub("", _SPACES.sub(_CELL_GAP, text))
    return _EMPTY_LINES.sub("\n\n", text).strip("\n")


def _decode(data: bytes, document: str) -> str:
    if b"\0" in data:
        raise NulBytes(document)
    named = _CHARSET.search(data[:_CHARSET_WITHIN])
    encoding = named[1].decode("ascii").lower() if named else "utf-8"
    if encoding in {"utf-8", "utf8"}:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise WrongEncoding(document, encoding.removesuffix("-sig"), error.start) from error
    except LookupError as error:
        raise UnreadableDocument(document, f"it names an unknown encoding, {encoding!r}") from error
