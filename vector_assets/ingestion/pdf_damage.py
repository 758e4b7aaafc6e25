"""Pages of a PDF whose content cannot be unpacked whole.

PDFium shows what comes before the damage, and does not say so.
"""

import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

# The dictionary of a stream is short. Nothing else in a PDF precedes packed bytes.
_STREAM = re.compile(rb">>\s*stream\r?\n")
_DICTIONARY_BYTES = 1_000
# Packed by deflate alone, as nearly all programs do.
_DEFLATED = re.compile(rb"/Filter\s*\[?\s*/Fl(?:ateDecode)?\s*\]?\s*(?:/|>>|$)")
_NO_TEXT = re.compile(rb"/Subtype\s*/(?!Form)|/Type\s*/(?!XObject)|/Length[123]\b|/FunctionType\b|/N\s+\d")
_HEADER_BYTES = 2


def damaged_pages(pdf: "PdfDocument", data: bytes) -> list[int]:
    """Return the numbers, from 1 on, of the pages whose content, or the letters of whose fonts, are damaged.

    Only where the file has such a stream are the pages looked at, one by one.
    """
    import pypdfium2

    readable = _unlocked(pdf) if b"/Encrypt" in data else data
    if not _has_damage(readable):
        return []
    damaged = []
    for number in range(len(pdf)):
        with pypdfium2.PdfDocument.new() as alone:
            alone.import_pages(pdf, [number])
            if _has_damage(_unlocked(alone)):
                damaged.append(number + 1)
    return damaged


def _unlocked(pdf: "PdfDocument") -> bytes:
    """Return a copy without encryption, whose streams are as they were."""
    from pypdfium2 import raw

    copy = BytesIO()
    pdf.save(copy, flags=raw.FPDF_REMOVE_SECURITY)
    return copy.getvalue()


def _has_damage(data: bytes) -> bool:
    return any(not _is_whole(data, start) for start in _deflated_streams(data))


def _deflated_streams(data: bytes) -> Iterator[int]:
    """Yield where each stream begins that holds text, or what text is read by."""
    for match in _STREAM.finditer(data):
        before = data[max(0, match.start() - _DICTIONARY_BYTES) : match.start() + 2]
        dictionary = before[before.rfind(b"obj") + 1 :]
        if _DEFLATED.search(dictionary) and not _NO_TEXT.search(dictionary):
            yield match.end()


def _is_whole(data: bytes, start: int) -> bool:
    """Return whether a stream can be unpacked to its end. Viewers do not look at the checksum after it."""
    end = data.find(b"endstream", start)
    unpacked = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        rest = data[start + _HEADER_BYTES : end if end >= 0 else len(data)]
        while rest and not unpacked.eof:
            unpacked.decompress(rest, 1 << 20)
            rest = unpacked.unconsumed_tail
    except zlib.error:
        return False
    return unpacked.eof
