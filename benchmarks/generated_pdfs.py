"""PDFs made at random: text in two fonts, turned pages, forms, notes, stamps, scans, compressed or not."""

import random
import zlib

_WORDS = ["revenue", "dividend", "1,234", "(567)", "$8.90", "2024", "7%", "director", "net-sales", "A&B", "x", "Q3"]
_CHINESE = ["公司", "营业收入", "净利润", "股東大會"]
_MOST_PAGES = 6
# A page of fewer characters, with a picture behind it, counts as a picture.
_LINES_OF_TEXT = 8


class GeneratedPdf:
    """One PDF and what it shows: the words of each page, how many pages are pictures, and whether it is a scan."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._objects: list[bytes] = []
        self.pages: list[list[str]] = []
        self.pictures = 0
        self._fields: list[int] = []
        self._kids: list[int] = []
        self._write()

    @property
    def is_scan(self) -> bool:
        """Whether more than nine tenths of the pages are pictures, or no page has a word."""
        return self.pictures > 0.9 * len(self.pages) or not any(self.pages)

    def _write(self) -> None:
        choice = self._random
        self._objects = [b"", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"]
        self._chinese_font()
        is_scanned = choice.random() < 0.2
        for _ in range(choice.randint(1, _MOST_PAGES)):
            self._page(is_picture=is_scanned or choice.random() < 0.1)
        fields = b" ".join(b"%d 0 R" % number for number in self._fields)
        form = b"/AcroForm<</DA(/F 10 Tf 0 g)/DR<</Font<</F 3 0 R>>>>/Fields[%s]>>" % fields if self._fields else b""
        kids = b" ".join(b"%d 0 R" % number for number in self._kids)
        self._objects[0] = b"<</Type/Catalog/Pages 2 0 R%s>>" % form
        self._objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(self._kids), kids)

    def _add(self, content: bytes) -> int:
        self._objects.append(content)
        return len(self._objects)

    def _stream(self, entries: bytes, content: bytes) -> int:
        if self._random.random() < 0.5:
            content, entries = zlib.compress(content), entries + b"/Filter/FlateDecode"
        return self._add(b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(content), content))

    def _chinese_font(self) -> None:
        """Add a CID font whose characters have the numbers of a map to Unicode."""
        letters = sorted({letter for word in _CHINESE for letter in word})
        self._codes = {letter: number for number, letter in enumerate(letters, 1)}
        lines = "\n".join(f"<{number:04X}> <{ord(letter):04X}>" for letter, number in self._codes.items())
        unicode_map = self._stream(
            b"",
            f"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange "
            f"{len(letters)} beginbfchar\n{lines}\nendbfchar endcmap end".encode(),
        )
        descendant = self._add(
            b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Song/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
            b"/Supplement 0>>/DW 1000>>"
        )
        self._font = self._add(
            b"<</Type/Font/Subtype/Type0/BaseFont/Song/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>"
            % (descendant, unicode_map)
        )

    def _page(self, is_picture: bool) -> None:
        choice, words = self._random, list[str]()
        content = b"q 612 0 0 792 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q\n" if is_picture else b""
        count = choice.choice((0, 0, 1)) if is_picture else choice.randint(_LINES_OF_TEXT, 30)
        for number in range(count):
            line = choice.choices([*_WORDS, *_CHINESE], k=2 if is_picture else choice.randint(4, 7))
            content += self._line(72, 740 - 22 * number, line)
            words += line
        annotations = [] if is_picture else [self._annotation(words, at) for at in range(choice.choice((0, 0, 1, 3)))]
        body = self._stream(b"", content)
        self._kids.append(
            self._add(
                b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Rotate %d/Resources<</Font<</F 3 0 R/C %d 0 R>>>>"
                b"/Contents %d 0 R/Annots[%s]>>"
                % (choice.choice((0, 0, 0, 90, 180)), self._font, body, b" ".join(b"%d 0 R" % n for n in annotations))
            )
        )
        self.pages.append(words)
        self.pictures += is_picture

    def _line(self, x: int, y: int, words: list[str]) -> bytes:
        shown = b""
        for number, word in enumerate(words):
            place = b"1 0 0 1 %d %d Tm " % (x + 75 * number, y)
            if word[0] in self._codes:
                codes = "".join(f"{self._codes[letter]:04X}" for letter in word).encode()
                shown += b"BT /C 10 Tf %s<%s> Tj ET\n" % (place, codes)
            else:
                escaped = word.replace("(", r"\(").replace(")", r"\)").encode()
                shown += b"BT /F 10 Tf %s(%s) Tj ET\n" % (place, escaped)
        return shown

    def _annotation(self, words: list[str], at: int) -> int:
        """Add a field, a typed text or a note below the lines, and its word to those of the page."""
        choice = self._random
        word = f"typed{at}{choice.randint(100, 999)}"
        box = b"/Rect[300 %d 420 %d]/F 4" % (30 + 14 * at, 42 + 14 * at)
        kind = choice.choice(("field", "field", "drawn", "text", "note", "hidden", "empty"))
        if kind == "hidden":
            return self._add(b"<</Type/Annot/Subtype/FreeText/Contents(lost)%s>>" % box.replace(b"/F 4", b"/F 2"))
        if kind == "text":
            words.append(word)
            return self._add(b"<</Type/Annot/Subtype/FreeText/Contents(%s)/DA(/F 10 Tf)%s>>" % (word.encode(), box))
        if kind == "note":
            words.append(f"[{word}]")
            return self._add(b"<</Type/Annot/Subtype/Text/Contents(%s)%s>>" % (word.encode(), box))
        drawing = b""
        if kind == "drawn":
            number = self._stream(
                b"/Type/XObject/Subtype/Form/BBox[0 0 120 12]/Resources<</Font<</F 3 0 R>>>>",
                b"/Tx BMC BT /F 10 Tf 2 2 Td (%s) Tj ET EMC" % word.encode(),
            )
            drawing = b"/AP<</N %d 0 R>>" % number
        value = b"" if kind == "empty" else word.encode()
        if value:
            words.append(word)
        entries = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(f%d)/V(%s)/DA(/F 10 Tf 0 g)%s%s>>"
        self._fields.append(self._add(entries % (len(self._objects), value, box, drawing)))
        return self._fields[-1]

    def data(self) -> bytes:
        """Write the file."""
        out, offsets = b"%PDF-1.7\n", list[bytes]()
        for number, content in enumerate(self._objects, start=1):
            offsets.append(b"%010d 00000 n \n" % len(out))
            out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
        table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1) + b"".join(offsets)
        return (
            out + table + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, len(out))
        )
