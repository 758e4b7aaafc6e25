"""Files in one file: their texts are read by their kind, and the rest is left out."""

import binascii
import random
from base64 import b64encode
from email.message import EmailMessage
from quopri import encodestring

import pytest

from vector_assets.errors import EmptyDocument
from vector_assets.ingestion.readers import extract_text


def read(source: str | bytes, suffix: str = ".txt") -> str:
    return extract_text(source if isinstance(source, bytes) else source.encode(), suffix, "a").text


def part(type_: str, body: str, name: str = "", description: str = "") -> str:
    fields = "".join(f"<{key}>{value}\n" for key, value in (("FILENAME", name), ("DESCRIPTION", description)) if value)
    return f"<DOCUMENT>\n<TYPE>{type_}\n<SEQUENCE>1\n{fields}<TEXT>\n{body}\n</TEXT>\n</DOCUMENT>\n"


def submission(*parts: str) -> str:
    head = "<SEC-DOCUMENT>x.txt : 20240101\n<SEC-HEADER>x.hdr\n\tFILER:  ACME\n</SEC-HEADER>\n"
    return head + "".join(parts) + "</SEC-DOCUMENT>\n"


def uuencoded(name: str) -> str:
    data = random.Random(7).randbytes(400)
    body = "".join(binascii.b2a_uu(data[at : at + 45]).decode() for at in range(0, len(data), 45))
    return f"begin 644 {name}\n{body}`\nend\n"


PAGE = "<html><body><p>Acme makes&nbsp;widgets.</p></body></html>"


@pytest.mark.parametrize("suffix", [".txt", ".htm"])
def test_submission(suffix: str):
    """Documents of text are read with their types and descriptions, pictures and data are left out."""
    source = submission(
        part("10-K", PAGE, "a.htm", "ANNUAL REPORT"),
        part("EX-99.1", "<XBRL>\n" + PAGE.replace("makes", "sells") + "\n</XBRL>", "b.htm"),
        part("GRAPHIC", uuencoded("g.jpg"), "g.jpg"),
        part("EX-101.INS", "<XBRL><x>1</x></XBRL>", "x.xml"),
        part("10-K", f"<PDF>\n{uuencoded('c.pdf')}</PDF>", "c.pdf"),
        part("ZIP", uuencoded("z.zip"), "z.zip"),
    )

    assert read(source, suffix).split("\n\n") == [
        "FILER:  ACME", "10-K  ANNUAL REPORT", "Acme makes widgets.", "EX-99.1", "Acme sells widgets.",
    ]  # fmt: skip


def test_plain_text_in_a_submission():
    """Marks of tables go, marks of pages become page breaks, labels of figures stay."""
    body = "<PAGE>\nBALANCE\n<TABLE>\n<CAPTION>\n<S>    <C>\nCash   5\n</TABLE>\n<PAGE>  2\n<TOTAL-ASSETS>  9\n"
    pem = "-----BEGIN PRIVACY-ENHANCED MESSAGE-----\nProc-Type: 2001,MIC-CLEAR\n\n"

    text = read(pem + submission(part("10-Q", body)))

    first, second = text.split("10-Q")[1].split("\f")
    assert (first.split(), second.split()) == (["BALANCE", "Cash", "5"], ["<TOTAL-ASSETS>", "9"])


def test_values_in_xml():
    """A form that is filed as XML is read as its names and values."""
    form = "<form><issuerName>Acme</issuerName><shares><value>5</value></shares></form>"
    body = f"<XML>\n<?xml version='1.0'?>\n{form}\n</XML>"

    assert read(submission(part("4", body, "f.xml"))).endswith("issuerName: Acme\nvalue: 5")


def test_documents_of_a_submission():
    """A document that was taken out with its head, or whose end is missing, is read."""
    assert read(part("10-K", PAGE, "a.htm"), ".htm").endswith("Acme makes widgets.")
    assert read(submission(part("10-K", PAGE, "a.htm")).split("\n</TEXT>")[0]).endswith("Acme makes widgets.")
    with pytest.raises(EmptyDocument):
        read(submission(part("GRAPHIC", uuencoded("g.jpg"), "g.jpg")))


def test_pictures_in_plain_text():
    """A picture that is written into plain text in letters is left out; a text that begins like one is not."""
    assert read(f"Net sales\n{uuencoded('g.jpg')}rose.\n") == "Net sales\nrose.\n"
    assert read("begin 2024 well\nend\n") == "begin 2024 well\nend\n"


@pytest.mark.parametrize("suffix", [".htm", ".mhtml", ".txt"])
def test_saved_page(suffix: str):
    """A page saved as MHTML is decoded, by the charset of its part; styles and pictures are left out."""
    page = encodestring("<html><body><p>Net sales rose — 公司".encode("gb18030")).decode()
    source = (
        "From: <Saved by Blink>\nSnapshot-Content-Location: file:///a.htm\nSubject: a\nMIME-Version: 1.0\n"
        'Content-Type: multipart/related;\n\ttype="text/html"; boundary="x"\n\n--x\n'
        f"Content-Type: text/html; charset=gbk\nContent-Transfer-Encoding: quoted-printable\n\n{page}\n--x\n"
        "Content-Type: text/css\n\np{color:red}\n--x\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n"
        f"{b64encode(bytes(90)).decode()}\n--x--\n"
    )

    assert read(source, suffix) == "Net sales rose — 公司"


def test_mail():
    """Of the alternatives of a mail the richest is read, once."""
    mail = EmailMessage()
    mail.set_content("plain")
    mail.add_alternative("<p>Net sales rose", subtype="html")

    assert read(mail.as_bytes(), ".txt") == "Net sales rose"


def test_files_in_a_mail():
    """A warning names them: their text is not that of the mail."""
    mail = EmailMessage()
    mail.set_content("The annual report is attached.")
    mail.add_attachment(b"%PDF-1.7", "application", "pdf", filename="2024.pdf")
    mail.add_attachment(bytes(90), "image", "png", filename="logo.png")

    found = extract_text(mail.as_bytes(), ".mht", "a.mht")

    assert found.text.strip() == "The annual report is attached."
    assert "(1, e.g. 2024.pdf)" in found.warning
