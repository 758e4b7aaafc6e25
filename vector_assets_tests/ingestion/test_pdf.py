"""PDFs are read as a viewer shows them, or refused with the reason."""

import zlib

import pytest

from vector_assets.errors import (
    DocumentTooLarge,
    EncryptedDocument,
    ImageOnlyDocument,
    PlaceholderDocument,
    UnreadableDocument,
)
from vector_assets.ingestion import pdf as pdf_reader
from vector_assets.ingestion.pdf import read_pdf

from .pdfs import annotated, at, compressed, drawn, lines, packed, pdf, scanned


def text_of(data: bytes, document: str = "a.pdf") -> str:
    return read_pdf(data, document).text


def test_pdf_pages():
    """Pages are parted by one form feed, pages without text included."""
    text = text_of(pdf(lines(b"First page", b"line two"), b"", lines(b"Third")), "a.pdf")

    assert text == "First page\nline two\f\fThird"


def test_pdf_form_feeds_within_a_page():
    """A form feed in a page's text is a space: only page ends are form feeds."""
    text = text_of(pdf(lines(rb"a\014b"), lines(b"c")), "a.pdf")

    assert text == "a b\fc"


def test_pdf_hyphen():
    """A hyphen at a line's end stays one, and no control character comes in its place."""
    text = text_of(pdf(lines(b"inter-", b"national trade")), "a.pdf")

    assert text.replace("\n", "") == "inter-national trade"


def test_pdf_without_text():
    """Pages without text are not the same error as an empty file, and they are counted."""
    with pytest.raises(ImageOnlyDocument, match="none of its 2 pages"):
        read_pdf(pdf(b"", b"0 0 100 100 re f"), "a.pdf")


def test_pdf_with_a_password():
    """A PDF that asks for a password is named as such."""
    with pytest.raises(EncryptedDocument, match="qpdf --decrypt"):
        read_pdf(pdf(lines(b"secret"), password=b"letmein"), "a.pdf")


def test_pdf_with_an_owner_password_only():
    """A PDF that anyone may open, though encrypted, is read."""
    text = text_of(pdf(lines(b"open to all"), password=b""), "a.pdf")

    assert text == "open to all"


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"%PDF-1.7 garbage",
        pdf(lines(b"text"))[:200],
        pdf(lines(b"text"))[:-60],
        pdf(),
        pdf(lines(b"one"), lines(b"two")).replace(b"[4 0 R 6 0 R]", b"[4 0 R 9 0 R]"),
    ],
    ids=["text", "head only", "truncated early", "truncated late", "no pages", "a page missing"],
)
def test_broken_pdf(data: bytes):
    """A PDF that is broken or incomplete is an error, never part of the text."""
    with pytest.raises(UnreadableDocument, match="not a PDF that can be opened"):
        read_pdf(data, "a.pdf")


def test_compressed_pdf():
    """Deflated pages are read."""
    assert text_of(compressed(lines(b"Revenue grew.")), "a.pdf") == "Revenue grew."


@pytest.mark.parametrize("password", [None, b""], ids=["plain", "encrypted"])
def test_damaged_pages(password: bytes | None):
    """A page that cannot be unpacked, or only in part, is named: PDFium leaves the rest out and does not say so."""
    whole = zlib.compress(lines(b"Revenue grew."))
    half = zlib.compress(lines(*(b"Line %d of %d" % (number, number**3) for number in range(40))))[:200]

    found = read_pdf(packed(whole, b"no deflate", whole[:-4] + b"????", half, password=password), "a.pdf")

    assert found.text.startswith("Revenue grew.\f\fRevenue grew.\fLine 0 of 0")
    assert found.warning == "text is missing on damaged pages 2, 4. Get it anew, or have a viewer print it to a PDF."


def test_many_damaged_pages():
    """The first ones are named, the others counted."""
    found = read_pdf(packed(zlib.compress(lines(b"Revenue grew.")), *[b"no deflate"] * 7), "a.pdf")

    assert found.warning.startswith("text is missing on damaged pages 2, 3, 4, 5, 6 and 2 more.")


def test_all_pages_damaged():
    """Such a document is no scan."""
    with pytest.raises(UnreadableDocument, match="text is missing on damaged page 1"):
        read_pdf(packed(b"no deflate"), "a.pdf")


def test_pdf_text_is_counted_page_by_page(monkeypatch: pytest.MonkeyPatch):
    """Reading stops at the page that goes beyond the bound, not at the end of the document."""
    monkeypatch.setattr(pdf_reader, "MAX_CHARACTERS", 15)
    pages = [lines(b"ten-letter")] * 3

    assert text_of(pdf(pages[0]), "a.pdf") == "ten-letter"
    with pytest.raises(DocumentTooLarge, match="longer than 15 characters"):
        read_pdf(pdf(*pages), "a.pdf")


# What is typed onto pages

FORM = b"/AcroForm<</Fields[6 0 R]/DA(/F 12 Tf)>>"
BOX = b"/Rect[200 690 400 710]/F 4"


def field(kind: bytes, *entries: bytes) -> bytes:
    return b"<</Type/Annot/Subtype/Widget/T(name)/DA(/F 12 Tf 0 g)" + kind + BOX + b"".join(entries) + b">>"


LABELS = at(72, 695, b"Name of issuer:") + at(72, 650, b"Signed:")


@pytest.mark.parametrize(
    ("annotation", "more", "shown"),
    [
        (field(b"/FT/Tx/V(Acme Limited)", b"/AP<</N 7 0 R>>"), drawn(b"Acme Limited"), "Acme Limited"),
        (field(b"/FT/Tx/V(Acme Limited)"), b"null", "Acme Limited"),
        (field(b"/FT/Tx/V<FEFF516C53F8>"), b"null", "公司"),
        (field(b"/FT/Tx/V(1234.5)", b"/AP<</N 7 0 R>>"), drawn(b"1,234.50"), "1,234.50"),
        (field(b"/FT/Ch/Opt[(Acme)(Bee)]/V(Bee)"), b"null", "Bee"),
        (field(b"/FT/Tx/Ff 8192/V(secret)"), b"null", ""),
        (field(b"/FT/Tx/V(hidden)").replace(b"/F 4", b"/F 2"), b"null", ""),
        (b"<</Type/Annot/Subtype/FreeText/Contents(typed)/DA(/F 12 Tf)%s>>" % BOX, b"null", "typed"),
        (b"<</Type/Annot/Subtype/Stamp%s/AP<</N 7 0 R>>>>" % BOX, drawn(b"APPROVED"), "APPROVED"),
        (b"<</Type/Annot/Subtype/Text/Contents(to be checked)%s>>" % BOX, b"null", "[to be checked]"),
        (b"<</Type/Annot/Subtype/Link%s>>" % BOX, b"null", ""),
    ],
    ids=["drawn", "value", "Chinese", "formatted", "choice", "secret", "hidden", "typed", "stamp", "note", "link"],
)
def test_what_is_typed(annotation: bytes, more: bytes, shown: str):
    """The values of fields, typed text, stamps and notes stand beside their labels, as a viewer shows them."""
    text = text_of(annotated(LABELS, annotation, catalog=FORM, more=(more,)))

    assert text.split("\n") == [f"Name of issuer: {shown}".rstrip(), "Signed:"]


def test_ticked_boxes():
    """A box stands before its label, ticked or not."""
    button = b"<</Type/Annot/Subtype/Widget/FT/Btn/T(%s)/V/%s/AS/%s/Rect[%d 690 %d 702]/F 4"
    states = b"/AP<</N<</On 8 0 R/Off 8 0 R>>>>>>"
    content = at(90, 692, b"Yes") + at(190, 692, b"No")
    boxes = (button % (b"a", b"On", b"On", 72, 84) + states, button % (b"b", b"Off", b"Off", 172, 184) + states)

    text = text_of(annotated(content, *boxes, catalog=b"/AcroForm<</Fields[6 0 R 7 0 R]>>", more=(drawn(b""),)))

    assert text.split() == ["☒", "Yes", "☐", "No"]


def test_boxes_that_overlap():
    """A note's icon over another text does not repeat it, and texts at the same place are both read."""
    note = b"<</Type/Annot/Subtype/Text/Contents(note)/Rect[200 690 220 710]/F 4>>"
    text = b"<</Type/Annot/Subtype/FreeText/Contents(typed)/DA(/F 12 Tf)%s>>" % BOX

    assert sorted(text_of(annotated(b" ", note, text, note)).split()) == ["[note]", "[note]", "typed"]


def test_form_without_other_text():
    """A page whose only text was typed into a form is no scan."""
    assert text_of(annotated(b" ", field(b"/FT/Tx/V(Acme)"), catalog=FORM)) == "Acme"


# What stands in place of the text

WAIT = lines(b"Please wait...", b"If this message is not eventually replaced by the proper contents of the document")
ATTACHED = b"/Names<</EmbeddedFiles<</Names[(a.pdf) 6 0 R]>>>>"
FILES = (b"<</Type/Filespec/F(a.pdf)/EF<</F 7 0 R>>>>", b"<</Type/EmbeddedFile/Length 4>>\nstream\ntext\nendstream")


XFA = b"/AcroForm<</Fields[]/XFA 6 0 R>>/NeedsRendering true"


@pytest.mark.parametrize(("page", "catalog"), [(WAIT, XFA), (WAIT, b""), (lines(b"Un momento, por favor."), XFA)])
def test_form_of_acrobat(page: bytes, catalog: bytes):
    """A form that only Acrobat shows is refused, in whatever language its page asks to wait for it."""
    with pytest.raises(PlaceholderDocument, match="print it to a PDF"):
        read_pdf(annotated(page, catalog=catalog, more=(b"<</Length 0>>\nstream\n\nendstream",)), "a.pdf")


def test_portfolio():
    """A PDF that is a folder of files is refused; files that are attached to a document are warned of."""
    cover = lines(b"See the files.")

    with pytest.raises(PlaceholderDocument, match="1 attached files"):
        read_pdf(annotated(cover, catalog=b"/Collection<</View/T>>" + ATTACHED, more=FILES), "a.pdf")
    with pytest.raises(PlaceholderDocument, match="1 attached files"):
        read_pdf(annotated(b" ", catalog=ATTACHED, more=FILES), "a.pdf")
    found = read_pdf(annotated(cover, catalog=ATTACHED, more=FILES), "a.pdf")
    assert found.text == "See the files."
    assert found.warning.startswith("files are attached to it and were not read (1)")


STAMP = (b"Case 1:24-cv-00001 Document 5 Filed 01/02/24",)
WORDS = (b"Revenue grew. " * 4,) * 3


@pytest.mark.parametrize(
    ("pages", "warning"),
    [
        ([(b"ANNOUNCEMENT",)] * 10, None),
        ([(b"",)] * 9 + [STAMP], None),
        ([WORDS, *[(b"",)] * 9], "9 of 10 pages are pictures"),
        ([WORDS, *[STAMP] * 2], "2 of 3 pages are pictures"),
        ([WORDS] * 3, ""),
    ],
)
def test_scanned_pages(pages: list[tuple[bytes, ...]], warning: str | None):
    """Pages that are pictures are counted, stamped or not: some of them are warned of, nearly all refused."""
    data = scanned(*pages)

    if warning is None:
        with pytest.raises(ImageOnlyDocument, match="10 pages"):
            read_pdf(data, "a.pdf")
    else:
        assert read_pdf(data, "a.pdf").warning[: len(warning)] == warning


def test_short_pages_without_pictures():
    """Titles, logos and tables of few words are no scans."""
    logo = b"q 60 0 0 60 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q "

    assert read_pdf(pdf(logo + lines(b"Annual Report"), lines(b"blank")), "a.pdf").warning == ""


def test_letters_drawn_as_lines():
    """Text whose letters are drawn as lines is none."""
    letters = b"".join(b"%d 700 m %d 710 l S " % (at_, at_) for at_ in range(400))

    assert read_pdf(pdf(lines(*WORDS), letters), "a.pdf").warning.startswith("1 of 2 pages")


def set_in(size: int, x: int, y: int, text: bytes) -> bytes:
    """A content stream that shows a text in a size, which is that of the font or of the text's matrix."""
    return b"BT /F 1 Tf %d 0 0 %d %d %d Tm (%s) Tj ET " % (size, size, x, y, text)


@pytest.mark.parametrize(
    ("figure", "mark", "shown"),
    [
        ((12, 72, 700, b"1,234"), (7, 103, 705, b"2"), "1,234^2"),
        ((12, 76, 700, b"2024"), (7, 72, 703, b"1"), "1 2024"),
        ((12, 72, 700, b"10"), (7, 86, 697, b"2"), "10_2"),
        ((12, 72, 700, b"99"), (5, 86, 700, b"50"), "9950"),
        ((12, 72, 700, b"5.3"), (12, 89, 700, b"21"), "5.321"),
    ],
)
def test_raised_figures(figure: tuple[int, int, int, bytes], mark: tuple[int, int, int, bytes], shown: str):
    """The mark of a note does not become a digit of the figure beside it; small figures on the line do not change."""
    content = b"".join(set_in(*part) for part in sorted((figure, mark), key=lambda part: part[1]))

    assert text_of(pdf(content), "a.pdf") == shown


@pytest.mark.parametrize("turned", [0, 90, 180])
def test_turned_pages(turned: int):
    """Words of a turned page stay apart, those of one letter too."""
    content = at(72, 700, b"2024") + at(147, 700, b"x") + at(222, 700, b"5")

    text = text_of(pdf(content).replace(b"/MediaBox", b"/Rotate %d/MediaBox" % turned))

    assert sorted(text.split()) == ["2024", "5", "x"]
