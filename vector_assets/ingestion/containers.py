"""Files that hold several files: full submissions to EDGAR, and pages saved as MHTML. The files of text are read."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message

from ..domain.documents import DocumentText
from ..errors import EmptyDocument
from .charsets import decode_plain
from .html import read_html

# A submission begins with one of these, and so does a document that was taken out of one with its head.
_SUBMISSION = re.compile(
    rb"\s*(?:-----BEGIN PRIVACY-ENHANCED MESSAGE-----|<SEC-DOCUMENT>|<IMS-DOCUMENT>|<SEC-HEADER>|<DOCUMENT>\s*<TYPE>)",
    re.IGNORECASE,
)
_ARCHIVE = re.compile(rb"\s*(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*)*?MIME-Version:", re.IGNORECASE)
_HEAD_BYTES = 4096
_DOCUMENT = re.compile(rb"<DOCUMENT>\s*\n(.*?)(?=</DOCUMENT>|<DOCUMENT>\s*\n|\Z)", re.DOTALL)
_FIELD = re.compile(rb"^<(TYPE|FILENAME|DESCRIPTION)>([^\n<]*)", re.MULTILINE)
_BODY = re.compile(rb"<TEXT>[ \t]*\r?\n?(.*?)(?=</TEXT>|\Z)", re.DOTALL)
_WRAPPER = re.compile(rb"\s*<(XBRL|XML|PDF)>(.*?)(?:</\1>\s*)?\Z", re.DOTALL | re.IGNORECASE)
_PAGE = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*(?:<\?xml\b[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!DOCTYPE\s+html|html)\b",
    re.DOTALL | re.IGNORECASE,
)
_UUENCODED = re.compile(r"^begin [0-7]{3,4} [^\n]*\n((?:[!-`][ -`]*\r?\n)*?)`?\r?\n?end[ \t]*\r?$\n?", re.MULTILINE)
# Marks of tables and pages in submissions of plain text. Other tags there are labels of figures.
_TABLE_TAGS = re.compile(r"</?(?:TABLE|CAPTION|FN)>|</?F\d{1,2}>|<[SC]>", re.IGNORECASE)
_PAGE_TAG = re.compile(r"[ \t]*<PAGE>[ \t]*(?:\d+[ \t]*)?\r?$\n?", re.MULTILINE | re.IGNORECASE)
_TAG_LINE = re.compile(r"^[<-][^\n]*\n?", re.MULTILINE)
_XML_VALUE = re.compile(r"<(?:\w+:)?([\w.-]+)(?:\s[^<>]*)?>\s*([^<>]*[^<>\s])\s*</")
_LEFT_OUT_TYPES = ("GRAPHIC", "ZIP", "EXCEL", "JSON", "XML", "EX-101", "EX-100")
_LEFT_OUT_NAMES = (".jpg", ".jpeg", ".gif", ".png", ".zip", ".xls", ".xlsx", ".json", ".js", ".css", ".xsd", ".pdf")
_CHARACTERS_OF_XML = re.compile(r"<\?xml\b[^>]*\?>")


def is_submission(data: bytes) -> bool:
    """Return whether the file is a full submission to EDGAR, or a document of one with its head."""
    return _SUBMISSION.match(data[:_HEAD_BYTES]) is not None


def is_archive(data: bytes) -> bool:
    """Return whether the file is a page saved as MHTML, or a mail."""
    return _ARCHIVE.match(data[:_HEAD_BYTES]) is not None


def is_page(data: bytes) -> bool:
    """Return whether the file begins as HTML does, whatever its name ends in."""
    return _PAGE.match(data[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")) is not None


def read_text(data: bytes, document: str, label: str = "") -> str:
    """Decode plain text, and leave out files that are written into it in letters (uuencode)."""
    text = decode_plain(data, document, label)
    return _UUENCODED.sub(_left_out, text) if "begin " in text else text


def _left_out(found: re.Match[str]) -> str:
    """Return nothing in place of an encoded file; text that only looks like one stays."""
    lines = found[1].splitlines()
    # Each line begins with the number of its bytes, and has four letters for three of them.
    is_file = lines and all(len(line) == 1 + (((ord(line[0]) - 32) & 63) + 2) // 3 * 4 for line in lines[:-1])
    return "" if is_file else found[0]


@dataclass(frozen=True)
class _Part:
    """A document of a submission."""

    type: str
    name: str
    description: str
    body: bytes

    @property
    def is_left_out(self) -> bool:
        """Whether it is a picture, a table of values that the others have too, or a program."""
        return self.type.startswith(_LEFT_OUT_TYPES) or self.name.lower().endswith(_LEFT_OUT_NAMES)


def read_submission(data: bytes, document: str) -> str:
    """Return the head of a submission, and each document of text with its type and description before it.

    Raises:
        EmptyDocument: no document of it has text.
        WrongEncoding, NulBytes, UnreadableDocument.
    """
    texts = [text for part in _parts(data) if (text := _part_text(part, document))]
    if not texts:
        raise EmptyDocument(document)
    start = _DOCUMENT.search(data)
    head = decode_plain(data[: start.start() if start else 0], document)
    return "\n\n".join(text for text in (_TAG_LINE.sub("", head).strip(), *texts) if text)


def _parts(data: bytes) -> Iterator[_Part]:
    for found in _DOCUMENT.finditer(data):
        body = _BODY.search(found[1])
        head = found[1][: body.start()] if body else found[1]
        fields = {name.decode(): value.decode("latin-1").strip() for name, value in _FIELD.findall(head)}
        yield _Part(
            fields.get("TYPE", ""), fields.get("FILENAME", ""), fields.get("DESCRIPTION", ""), body[1] if body else b""
        )


def _part_text(part: _Part, document: str) -> str:
    if part.is_left_out:
        return ""
    wrapper = _WRAPPER.match(part.body)
    body = wrapper[2] if wrapper else part.body
    kind = wrapper[1].upper() if wrapper else b""
    if kind == b"PDF" or not body.strip():
        return ""
    title = "  ".join(word for word in (part.type, part.description) if (word and word != part.description) or word)
    text = _body_text(body, kind, part.name, document)
    return f"{title}\n\n{text}" if text else ""


def _body_text(body: bytes, kind: bytes, name: str, document: str) -> str:
    if is_page(body) or (name.lower().endswith((".htm", ".html")) and kind != b"XML"):
        try:
            return read_html(body, document)
        except EmptyDocument:
            return ""
    text = read_text(body, document)
    if kind == b"XML":
        return "\n".join(f"{name}: {value}" for name, value in _XML_VALUE.findall(text))
    return _TABLE_TAGS.sub("", _PAGE_TAG.sub("\f", text)).strip()


def read_archive(data: bytes, document: str) -> DocumentText:
    """Return the text of the pages and texts in an MHTML file or a mail; pictures and styles are left out.

    A warning names files that are attached and may have text.

    Raises:
        EmptyDocument: there is no text in it.
        WrongEncoding, NulBytes, UnreadableDocument.
    """
    parts = list(_shown_parts(message_from_bytes(data)))
    texts = [text for part in parts if (text := _message_text(part, document))]
    if not texts:
        raise EmptyDocument(document)
    return DocumentText("\n\n".join(texts), _attached(parts))


def _attached(parts: Sequence[Message]) -> str:
    files = [part for part in parts if part.get_content_maintype() == "application" and not _is_of_a_page(part)]
    names = [name for part in files if (name := part.get_filename())]
    if not files:
        return ""
    example = f", e.g. {names[0]}" if names else ""
    return f"files are attached to it and were not read ({len(files):,}{example}). Save them here beside it."


def _is_of_a_page(part: Message) -> bool:
    """Whether a browser takes it for a page: its text, a program or a font."""
    kind = part.get_content_subtype()
    return kind == "xhtml+xml" or "javascript" in kind or "font" in kind or kind in {"json", "manifest+json"}


def _shown_parts(message: Message) -> Iterator[Message]:
    """Yield the parts that a reader shows: of alternatives the last, which is the richest."""
    parts = message.get_payload()
    if not message.is_multipart() or not isinstance(parts, list):
        yield message
        return
    shown = parts[-1:] if message.get_content_subtype() == "alternative" else parts
    for part in shown:
        if isinstance(part, Message):
            yield from _shown_parts(part)


def _message_text(part: Message, document: str) -> str:
    readers: dict[str, Callable[[bytes, str, str], str]] = {
        "text/html": read_html,
        "application/xhtml+xml": read_html,
        "text/plain": read_text,
    }
    read = readers.get(part.get_content_type())
    data = part.get_payload(decode=True)
    if read is None or not isinstance(data, bytes) or not data.strip():
        return ""
    try:
        return read(data, document, part.get_content_charset("")).strip()
    except EmptyDocument:
        return ""
