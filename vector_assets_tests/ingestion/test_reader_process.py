"""A document that would take for ever, or all memory, or the process along, is an error, and the next one is read."""

import os
import signal
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from vector_assets.errors import DocumentTooLarge, DocumentTooSlow, EmptyDocument, ReaderNotStarted, UnreadableDocument
from vector_assets.ingestion.document_limits import MAX_CHARACTERS, MAX_PAGES
from vector_assets.ingestion.reader_process import ReaderProcess

from .pdfs import lines, nested_forms, pdf

GOOD = pdf(lines(b"Revenue grew."))
# Rules that look at each element's ancestors and siblings, on a page of 4,000 elements.
SLOW_RULES = b"".join(b"div:has(i) ~ div > div div:not(.x%d) b{display:none}" % number for number in range(200))
SLOW_HTML = b"<style>" + SLOW_RULES + b"</style>" + b"<div>" * 2_000 + b"<b>x</b>" * 2_000


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    with ReaderProcess(seconds=20) as reader:
        yield reader


@pytest.fixture
def reader_with_little_memory() -> Iterator[ReaderProcess]:
    """A reader whose process may use 512 MiB."""
    with ReaderProcess(seconds=60, memory=512 * 2**20) as reader:
        yield reader


@pytest.fixture
def reader_with_little_time() -> Iterator[ReaderProcess]:
    """A reader that gives up after half a second."""
    with ReaderProcess(seconds=0.5) as reader:
        yield reader


def children() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children() if "vector_assets.ingestion.reader_worker" in child.cmdline()
    ]


def test_documents_one_after_another(reader: ReaderProcess) -> None:
    """One process reads documents of all formats with the same results; errors keep their class and message."""
    assert reader.read(GOOD, ".pdf", "a.pdf").text == "Revenue grew."
    assert reader.read("<p>公司营业收入".encode(), ".HTML", "a.HTML").text == "公司营业收入"
    with pytest.raises(EmptyDocument, match=r"^us/a.html: the document has no text\. Download it again") as caught:
        reader.read(b"<p>", ".html", "us/a.html")
    assert caught.value.document == "us/a.html"
    assert len(children()) == 1


def test_plain_text_needs_no_process(reader: ReaderProcess) -> None:
    """Text and Markdown are decoded without a child process."""
    assert reader.read("营业收入".encode(), ".MD", "a.MD").text == "营业收入"
    assert children() == []


def test_nothing_is_left_behind() -> None:
    """The process ends with the reader, even in the middle of a document."""
    with ReaderProcess() as reader:
        reader.read(GOOD, ".pdf", "a.pdf")
        assert len(children()) == 1

    assert children() == []


@pytest.mark.parametrize(
    ("data", "suffix"), [(nested_forms(30, 2), ".pdf"), (SLOW_HTML, ".html")], ids=["forms in forms", "style rules"]
)
def test_document_that_takes_for_ever(reader_with_little_time: ReaderProcess, data: bytes, suffix: str) -> None:
    """A document that would keep the parser busy for hours is stopped in time; the next one is read."""
    started = time.monotonic()

    with pytest.raises(DocumentTooSlow, match=r"^bomb: reading it took longer than 0\.5 s\."):
        reader_with_little_time.read(data, suffix, "bomb")

    assert time.monotonic() - started < 15
    assert reader_with_little_time.read(GOOD, ".pdf", "a.pdf").text == "Revenue grew."


def test_html_that_takes_all_memory(reader_with_little_memory: ReaderProcess) -> None:
    """Elements that take more memory than there is are refused; the next document is read."""
    bomb = b"<b></b>" * 3_000_000

    with pytest.raises(DocumentTooLarge, match="more than 512 MiB of memory"):
        reader_with_little_memory.read(bomb, ".html", "bomb.html")

    assert reader_with_little_memory.read(GOOD, ".pdf", "a.pdf").text == "Revenue grew."


def test_pdf_that_takes_all_memory(reader_with_little_memory: ReaderProcess) -> None:
    """A form that shows itself twice; the parser ends its process when no memory is left."""
    bomb = nested_forms(3, 2).replace(b"<</X 6 0 R>>", b"<</X 5 0 R>>")

    with pytest.raises(UnreadableDocument, match="the reader crashed on it"):
        reader_with_little_memory.read(bomb, ".pdf", "bomb.pdf")

    assert reader_with_little_memory.read(GOOD, ".pdf", "a.pdf").text == "Revenue grew."


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_crash(reader: ReaderProcess, number: signal.Signals) -> None:
    """A parser that crashes ends its own process and no other; the next document is read."""
    reader.read(GOOD, ".pdf", "a.pdf")
    os.kill(children()[0].pid, number)

    with pytest.raises(UnreadableDocument, match=f"crashed on it \\({number.name}\\)"):
        reader.read(GOOD, ".pdf", "a.pdf")

    assert reader.read(GOOD, ".pdf", "a.pdf").text == "Revenue grew."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_of_a_group(reader: ReaderProcess, number: signal.Signals) -> None:
    """A signal to this process and all its children does not make the document look bad."""
    reader.read(GOOD, ".pdf", "a.pdf")

    children()[0].send_signal(number)

    assert reader.read(GOOD, ".pdf", "a.pdf").text == "Revenue grew."


def test_pages_that_are_claimed(reader: ReaderProcess) -> None:
    """A PDF that declares too many pages is refused before they are read."""
    many = pdf(*[b""] * (MAX_PAGES + 1))

    with pytest.raises(DocumentTooLarge, match=r"10,001 pages, more than 10,000"):
        reader.read(many, ".pdf", "a.pdf")


@pytest.mark.parametrize(("suffix", "start"), [(".txt", b""), (".html", b"<pre>")])
def test_endless_text(reader: ReaderProcess, suffix: str, start: bytes) -> None:
    """Text beyond the bound is refused, whatever its format."""
    with pytest.raises(DocumentTooLarge, match=r"longer than 20,000,000 characters"):
        reader.read(start + b"x" * (MAX_CHARACTERS + 1), suffix, "a")


def test_no_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no process can be started, or it ends at once, no document is at fault."""
    for executable in ("/no/such/python", "/bin/false"):
        monkeypatch.setattr(sys, "executable", executable)
        with ReaderProcess() as reader, pytest.raises(ReaderNotStarted, match=executable):
            reader.read(GOOD, ".pdf", "a.pdf")
    assert children() == []
