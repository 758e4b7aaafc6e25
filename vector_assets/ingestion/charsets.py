"""The bytes of a document become text. The bytes decide the charset, and labels help."""

import codecs
import re
from collections.abc import Callable, Iterator, Sequence

from ..errors import DamagedText, NulBytes, UnreadableDocument, WrongEncoding

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Labels that occur and that the standard for browsers does not know (https://encoding.spec.whatwg.org/#names-and-labels).
_MORE_LABELS = {
    "windows-936": "gbk",
    "cp936": "gbk",
    "ms936": "gbk",
    "windows-950": "big5",
    "cp950": "big5",
    "ms950": "big5",
    "cp932": "shift_jis",
    "windows-932": "shift_jis",
    "utf8mb4": "utf-8",
    "utf-8-sig": "utf-8",
}
# A page that names UTF-16 in ASCII letters is not written in UTF-16.
_NOT_AS_NAMED = {"UTF-16LE": "UTF-8", "UTF-16BE": "UTF-8", "x-user-defined": "windows-1252"}
_XML_DECLARATION = re.compile(rb"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)""")
_CHARSET_IN_CONTENT = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';]+)""", re.IGNORECASE)
# HTML demands that the charset is named in the first 1,024 bytes, but pages with long comments are read all the same.
_HEAD_BYTES = 65_536
_SAMPLE_BYTES = 200_000
# What iconv calls the encodings that filings are written in, by the names of the standard.
_ICONV_NAMES = {
    "GBK": "GB18030",
    "gb18030": "GB18030",
    "Big5": "BIG5-HKSCS",
    "Shift_JIS": "CP932",
    "EUC-JP": "EUC-JP",
    "EUC-KR": "CP949",
    "windows-1252": "WINDOWS-1252",
    "windows-1250": "WINDOWS-1250",
    "windows-1251": "WINDOWS-1251",
    "KOI8-U": "KOI8-U",
}
_MULTI_BYTE = {"GBK", "gb18030", "Big5", "Shift_JIS", "EUC-JP", "EUC-KR"}
_CHINESE = {"GBK", "gb18030", "Big5"}
_CONFIDENT = 0.9
_POSSIBLE = 0.15
_FEW_BYTES = 40
# ASCII, Latin letters, punctuation of all languages, kana and hangul; not Chinese characters, of which many are rare.
_USUAL = re.compile(r"[\t\n\f\r -~\u00a0-\u024f\u2010-\u206f\u20a0-\u20bf\u3000-\u30ff\uac00-\ud7a3\uff00-\uffef]+")
_MAX_UNUSUAL = 0.1
# Of the letters of a Japanese text, more than half are kana; fewer in reports that are full of Chinese characters.
_MIN_KANA = 0.25
_REPLACED = re.compile("\ufffd+")
# No text has them. Most others of their kind are found in old files, and harm nobody.
_CONTROLS = re.compile("[\x01-\x08\x0e-\x19\x7f-\x9f]")
_LONGER_UTF8 = re.compile("[\u0800-\U0010ffff]")
_ESCAPES = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_ext"))
# Browsers no longer read it. Its escapes are ordinary characters, so that a page must name it.
_HZ_LABELS = ("hz-gb-2312", "hz")


def decode_html(data: bytes, document: str, label: str = "") -> str:
    """Decode a page, whose head may name its charset; `label` is what the file around it names.

    Raises:
        WrongEncoding: the bytes are neither UTF-8 nor in the charset that is named.
        DamagedText, NulBytes, UnreadableDocument.
    """
    return _decode(data, document, lambda: label or named_charset(data))


def decode_plain(data: bytes, document: str, label: str = "") -> str:
    """Decode plain text, which names no charset itself. Raises what `decode_html` raises."""
    return _decode(data, document, lambda: label)


def _decode(data: bytes, document: str, find_label: Callable[[], str]) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decode_marked(data[len(mark) :], encoding, document)
    if b"\0" in data:
        return _decode_unmarked_utf16(data, document)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _decode_labelled(data, document, find_label(), error.start)
    if text.isascii():
        return _decode_escapes(data, text, document, find_label)
    if _is_utf8_by_chance(text) and (name := _name_of(find_label())) in _MULTI_BYTE:
        labelled = _whatwg_text(data, name)
        return labelled if "\ufffd" not in labelled and _is_usual(labelled) else text
    return text


def _decode_marked(data: bytes, encoding: str, document: str) -> str:
    """Decode what follows a byte order mark, which is never wrong. Files that were joined have several."""
    try:
        return data.decode(encoding).replace("\ufeff", "")
    except UnicodeDecodeError as error:
        raise DamagedText(document, encoding, error.start) from error


def _decode_unmarked_utf16(data: bytes, document: str) -> str:
    """Decode UTF-16 without a byte order mark, where the places of the NUL bytes and common characters show it."""
    low, high = data[1::2].count(0), data[0::2].count(0)
    encoding = "utf-16-le" if low > 3 * high else "utf-16-be"
    if len(data) % 2 == 0 and (low > 3 * high or high > 3 * low):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            raise NulBytes(document) from None
        if "\0" not in text and _is_usual(text):
            return text
    raise NulBytes(document)


def _is_usual(text: str) -> bool:
    """Return whether nearly all characters are usual ones, as they are in text and not in random bytes."""
    sample = text[:_HEAD_BYTES]
    others = _USUAL.sub("", sample)
    return sum(not _is_common_chinese(character) for character in others) <= _MAX_UNUSUAL * len(sample)


def _is_common_chinese(character: str) -> bool:
    return (
        b"\xb0" <= character.encode("gb2312", "ignore")[:1] < b"\xd8"
        or b"\xa4" <= character.encode("big5", "ignore")[:1] < b"\xc9"
    )


def _is_japanese(text: str) -> bool:
    """Return whether kana are among the letters as often as in Japanese; a Chinese text may cite some."""
    letters = [character for character in text[:_HEAD_BYTES] if character > "\u02ff" and character.isalpha()]
    kana = sum("\u3041" <= character <= "\u30ff" for character in letters)
    return kana >= _MIN_KANA * max(len(letters), _FEW_BYTES)


def _decode_escapes(data: bytes, text: str, document: str, find_label: Callable[[], str]) -> str:
    """Decode encodings that write Chinese, Japanese or Korean in ASCII bytes between escapes."""
    encoding = next((name for escape, name in _ESCAPES if escape in data), "")
    if not encoding and b"~{" in data and find_label().lower() in _HZ_LABELS:
        encoding = "hz"
    if not encoding:
        return text
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DamagedText(document, encoding, error.start) from error


def _is_utf8_by_chance(text: str) -> bool:
    """Return whether Chinese bytes may be UTF-8 by chance: few characters, none longer than two bytes, some odd."""
    if _LONGER_UTF8.search(text):
        return False
    foreign = [character for character in text if character > "\x7f"]
    return len(foreign) < _FEW_BYTES and max(foreign) > "\u024f"


def _decode_labelled(data: bytes, document: str, label: str, position: int) -> str:
    """Decode what is not UTF-8, by the label, unless the bytes contradict it."""
    if _is_damaged_utf8(data):
        raise DamagedText(document, "utf-8", position)
    if not label:
        raise WrongEncoding(document, "utf-8", position, likely_encodings(data))
    name = _name_of(label)
    if name == "replacement" or not name:
        raise UnreadableDocument(document, f"it names an unknown encoding, {label!r}")
    text = _whatwg_text(data, name)
    is_odd = name in _CHINESE and (not _is_usual(text) or _is_japanese(text))
    if "\ufffd" in text or is_odd or _is_contradicted(data, name):
        raise WrongEncoding(document, label, _first_wrong_byte(data, name, position), likely_encodings(data))
    return text


def _whatwg_text(data: bytes, name: str) -> str:
    """Decode as browsers do, which read small charsets as their supersets; U+FFFD for what is no character."""
    import turbohtml.detect  # registers the codecs

    assert turbohtml.detect
    return data.decode(f"whatwg-{name}")


def _name_of(label: str) -> str:
    """Return what the standard calls the encoding that browsers read for a label; nothing for an unknown one."""
    import turbohtml

    label = label.strip().lower()
    try:
        name = turbohtml.parse(b"", encoding=_MORE_LABELS.get(label, label)).encoding or ""
    except LookupError:
        return ""
    return _NOT_AS_NAMED.get(name, name)


def _first_wrong_byte(data: bytes, name: str, otherwise: int) -> int:
    """Return where the first byte lies that is none of the encoding's."""
    low, high = 0, len(data)
    if "\ufffd" not in _whatwg_text(data, name):
        return otherwise
    while high - low > 1:
        middle = (low + high) // 2
        if "\ufffd" in _whatwg_text(data[:middle], name):
            high = middle
        else:
            low = middle
    return low


def _is_damaged_utf8(data: bytes) -> bool:
    """Return whether nearly all characters beyond ASCII are good UTF-8, so that only some bytes are not."""
    text = data.decode("utf-8", "replace")
    # A half of a character, as some databases export it, is three wrong bytes in a row.
    wrong = len(_REPLACED.findall(text))
    longer = len(_LONGER_UTF8.findall(text)) - text.count("\ufffd")
    return longer >= 10 * wrong


def _is_contradicted(data: bytes, name: str) -> bool:
    """Return whether the bytes are certainly in another encoding than this one, though they can be decoded."""
    if sum(byte > 0x7F for byte in data[:_SAMPLE_BYTES]) < _FEW_BYTES:
        return False
    confidence = dict(_ranked(data))
    same = {"GBK", "gb18030"} if name in {"GBK", "gb18030"} else {name}
    own = sum(confidence.get(encoding, 0.0) for encoding in same)
    return own < _POSSIBLE and sum(confidence.get(encoding, 0.0) for encoding in _MULTI_BYTE - same) >= _CONFIDENT


def likely_encodings(data: bytes) -> Sequence[str]:
    """List at most three encodings, by the names that iconv takes, in which the bytes may be written, likeliest first.

    A file without an encoding gives none.
    """
    readable = [
        (_ICONV_NAMES[name], confidence)
        for name, confidence in _ranked(data)
        if name in _ICONV_NAMES and _is_readable(_whatwg_text(data, name))
    ]
    return [name for number, (name, confidence) in enumerate(readable[:3]) if number == 0 or confidence >= _POSSIBLE]


def _is_readable(text: str) -> bool:
    return "\ufffd" not in text and not _CONTROLS.search(text)


def _ranked(data: bytes) -> list[tuple[str, float]]:
    """Rank encodings by the pairs of bytes outside the tags, which are ASCII and may name a charset."""
    from turbohtml.detect import detect_all

    sample = re.sub(rb"<[^>]*>|[\x00-\x08\x0e-\x1f]", b" ", data[:_SAMPLE_BYTES])
    return [(match.encoding, match.confidence) for match in detect_all(sample) if match.encoding]


def named_charset(data: bytes) -> str:
    """Return the charset that a page's head names, or else its XML declaration, or nothing.

    Comments and keywords name none. As in browsers, a label that nobody knows counts only where no other one is.
    """
    labels = list(_named_charsets(data))
    return next(filter(_name_of, labels), labels[0] if labels else "")


def _named_charsets(data: bytes) -> Iterator[str]:
    import turbohtml

    head = turbohtml.parse(data[:_HEAD_BYTES].decode("latin-1"), positions=False, scripting=True)
    for meta in head.select("meta"):
        if charset := (meta.attr("charset") or "").strip():
            yield charset
        elif (meta.attr("http-equiv") or "").strip().lower() == "content-type":
            named = _CHARSET_IN_CONTENT.search(meta.attr("content") or "")
            if named:
                yield named[1]
    if declared := _XML_DECLARATION.match(data[:1024]):
        yield declared[1].decode("ascii")
