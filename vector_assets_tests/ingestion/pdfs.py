"""PDFs written by hand, byte by byte, so that a test knows what is in them."""

import hashlib
import zlib

_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_ID = b"0123456789abcdef"
_ALLOWED = -4


def pdf(*pages: bytes, password: bytes | None = None, entries: bytes = b"") -> bytes:
    """Pages with these content streams; a user password (it may be empty) encrypts them with 40-bit RC4.

    `entries` are those of each stream, beside its length.
    """
    owner_entry = _rc4(hashlib.md5(_PAD).digest()[:5], _padded(password or b""))
    allowed = _ALLOWED.to_bytes(4, "little", signed=True)
    key = hashlib.md5(_padded(password or b"") + owner_entry + allowed + _ID).digest()[:5]
    kids = b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), kids),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for index, content in enumerate(pages):
        number = 5 + 2 * index
        stream = content if password is None else _rc4(_object_key(key, number), content)
        resources = b"<</Font<</F 3 0 R>>>>"
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources%s/Contents %d 0 R>>" % (resources, number),
            _stream(entries, stream),
        ]
    encryption = b""
    if password is not None:
        entries = (owner_entry.hex().encode(), _rc4(key, _PAD).hex().encode(), _ALLOWED)
        objects.append(b"<</Filter/Standard/V 1/R 2/O<%s>/U<%s>/P %d>>" % entries)
        encryption = b"/Encrypt %d 0 R/ID[<%s><%s>]" % (len(objects), _ID.hex().encode(), _ID.hex().encode())
    return _file(objects, encryption)


def nested_forms(depth: int, width: int) -> bytes:
    """A page that shows a form `width` times, which shows another `width` times, and so on: width ** depth in all."""
    shown = b"/X Do " * width
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</XObject<</X 5 0 R>>>>/Contents 4 0 R>>",
        _stream(b"", shown),
    ]
    for number in range(5, 4 + depth):
        form = b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</XObject<</X %d 0 R>>>>" % (number + 1)
        objects.append(_stream(form, shown))
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    innermost = b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</Font<</F %s>>>>" % font
    return _file([*objects, _stream(innermost, lines(b"x"))], b"")


def annotated(content: bytes, *annotations: bytes, catalog: bytes = b"", more: tuple[bytes, ...] = ()) -> bytes:
    """One page with annotations, which are the objects from 6 on; `more` are the objects after them."""
    numbers = b" ".join(b"%d 0 R" % (6 + index) for index in range(len(annotations)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog,
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 5 0 R>>>>/Contents 4 0 R/Annots[%s]>>"
        % numbers,
        _stream(b"", content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        *annotations,
        *more,
    ]
    return _file(objects, b"")


def drawn(text: bytes) -> bytes:
    """What a viewer draws in the box of an annotation, 200 points wide and 20 high."""
    form = b"/Type/XObject/Subtype/Form/BBox[0 0 200 20]/Resources<</Font<</F 5 0 R>>>>"
    return _stream(form, b"/Tx BMC BT /F 12 Tf 2 5 Td (%s) Tj ET EMC" % text)


def scanned(*texts: tuple[bytes, ...]) -> bytes:
    """Pages that a picture covers, each with these lines over it."""
    picture = b"q 612 0 0 792 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q "
    return pdf(*(picture + lines(*text) for text in texts))


def at(x: int, y: int, text: bytes) -> bytes:
    """A content stream that shows a text at a place."""
    return b"BT /F 12 Tf 1 0 0 1 %d %d Tm (%s) Tj ET " % (x, y, text)


def compressed(content: bytes) -> bytes:
    """One page whose content stream is deflated."""
    return packed(zlib.compress(content))


def packed(*streams: bytes, password: bytes | None = None) -> bytes:
    """Pages whose content streams are said to be deflated."""
    return pdf(*streams, password=password, entries=b"/Filter/FlateDecode")


def lines(*texts: bytes) -> bytes:
    """A content stream that shows lines of text, in PDF's own spelling (octal escapes allowed)."""
    return b"BT /F 12 Tf 72 700 Td " + b" 0 -14 Td ".join(b"(%s) Tj" % text for text in texts) + b" ET"


def _stream(entries: bytes, content: bytes) -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(content), content)


def _file(objects: list[bytes], trailer: bytes) -> bytes:
    out, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(offsets)
    end = b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, len(out))
    return out + table + end


def _padded(password: bytes) -> bytes:
    return (password + _PAD)[:32]


def _object_key(key: bytes, number: int) -> bytes:
    return hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10]


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
