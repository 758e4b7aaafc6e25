"""The way from the landing directory to documents and chunks, on a real PostgreSQL."""

import os
import sys
from hashlib import sha512
from pathlib import Path

import pytest

from vector_assets.domain.documents import ChunkChanges
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import InvalidManifest, LandingDirectoryMissing, ReaderNotStarted
from vector_assets.ingestion import ingest
from vector_assets.ingestion.chunker import Chunker
from vector_assets.ingestion.ingest import DocumentsReport, Ingestion, language_of
from vector_assets.ingestion.landing_directory import LandingDirectory
from vector_assets.ingestion.reader_process import ReaderProcess
from vector_assets.storage.database import Database
from vector_assets.storage.documents import PostgresDocumentStore

from ..fakes import KEY, HashEmbedder, WordTokenCounter, make_vectorizer, rows
from .links import swap
from .pdfs import lines, nested_forms, pdf, scanned

OTHER = PartitionKey("hk", "announcement", "00700")
A, B = f"{KEY}/a.txt", f"{KEY}/b.txt"
WORDS = (b"Revenue grew. " * 4,) * 3


@pytest.fixture
def ingestion(database: Database, landing: Path) -> Ingestion:
    return make(database, landing)


def make(database: Database, landing: Path, room: int = 5) -> Ingestion:
    store = PostgresDocumentStore(database)
    chunker = Chunker(WordTokenCounter().tokenizer, room)
    return Ingestion(LandingDirectory(landing), store, store, lambda: chunker, lambda: chunker.identity)


def test_a_look_at_the_directory_needs_no_chunker(database: Database, landing: Path) -> None:
    """A sensor looks every few seconds, and a tokenizer may take 250 MB."""
    store = PostgresDocumentStore(database)
    ingestion = Ingestion(LandingDirectory(landing), store, store, lambda: pytest.fail("made"), lambda: None)
    put(landing, A, "text")

    assert ingestion.changes().partitions == (KEY,)


def put(landing: Path, source_uri: str, text: str | bytes) -> None:
    """Write a file with a time of its own, however fast the test is."""
    path = landing / source_uri
    path.parent.mkdir(parents=True, exist_ok=True)
    former = path.stat().st_mtime_ns if path.exists() else 0
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, ns=(0, former + 1_000_000_000))


def errors(report: DocumentsReport) -> dict[str, str]:
    return {item.source_uri: item.error for item in report.rejections}


def texts(database: Database) -> dict[str, str]:
    return dict(rows(database, "SELECT source_uri, text FROM documents ORDER BY source_uri"))


def chunks(database: Database) -> dict[str, int]:
    return dict(rows(database, "SELECT text, id FROM document_chunks ORDER BY document_id, chunk_index"))


# Reading


def test_documents_are_stored(ingestion: Ingestion, database: Database, landing: Path):
    """A document is stored with its text, and with what the manifest, its name and its text say of it."""
    put(landing, A, "Revenue grew.")
    put(landing, B, "公司营业收入增长。")
    put(landing, "manifest.csv", f"path,company_name,title,period,language\n{A},X Inc.,Annual Report,2024,fr\n")

    report = ingestion.read_documents(KEY)

    assert (report.read, report.unchanged, report.rejections) == ((A, B), 0, ())
    columns = "market, doc_type, stock_code, company_name, title, period, language, text"
    assert rows(database, f"SELECT {columns} FROM documents ORDER BY source_uri") == [
        ("us", "annual_report", "XTEST", "X Inc.", "Annual Report", "2024", "fr", "Revenue grew."),
        ("us", "annual_report", "XTEST", "", "b", "", "zh", "公司营业收入增长。"),
    ]


def test_bad_documents_are_listed_and_skipped(ingestion: Ingestion, database: Database, landing: Path):
    """Each bad document is listed with its own reason, and the good ones are stored all the same."""
    put(landing, A, "Revenue grew.")
    put(landing, f"{KEY}/bad.txt", "公司".encode("gb18030"))
    put(landing, f"{KEY}/empty.md", "")
    put(landing, f"{KEY}/nul.html", b"<p>\0")
    put(landing, f"{KEY}/broken.pdf", b"%PDF-1.7")
    put(landing, f"{KEY}/old.doc", "x")
    put(landing, f"{KEY}/z.txt", "Costs fell.")
    put(landing, "manifest.csv", f"path\n{KEY}/gone.txt\n")

    report = ingestion.read_documents(KEY)

    assert report.read == (A, f"{KEY}/z.txt")
    assert errors(report) == {
        f"{KEY}/bad.txt": "WrongEncoding",
        f"{KEY}/broken.pdf": "UnreadableDocument",
        f"{KEY}/empty.md": "EmptyDocument",
        f"{KEY}/gone.txt": "ManifestRowWithoutFile",
        f"{KEY}/nul.html": "NulBytes",
        f"{KEY}/old.doc": "UnsupportedFormat",
    }
    assert all(item.message.startswith(item.source_uri) for item in report.rejections)
    assert list(texts(database)) == [A, f"{KEY}/z.txt"]


def test_each_document_is_announced(ingestion: Ingestion, landing: Path):
    """`on_document` is called before a document is read, even a bad one, and before it is chunked."""
    put(landing, A, "Revenue grew.")
    put(landing, B, b"\xff")
    announced: list[str] = []

    ingestion.read_documents(KEY, announced.append)
    ingestion.chunk_documents(KEY, announced.append)

    assert announced == [A, B, A]


def test_unchanged_directory(ingestion: Ingestion, landing: Path):
    """The second time nothing is read, neither good documents nor bad ones, and the list of bad ones stays."""
    put(landing, A, "Revenue grew.")
    put(landing, B, b"\xff")
    ingestion.read_documents(KEY)
    announced: list[str] = []

    report = ingestion.read_documents(KEY, announced.append)

    assert announced == []
    assert (report.read, report.unchanged, errors(report)) == ((), 2, {B: "WrongEncoding"})
    ingestion.chunk_documents(KEY)
    assert ingestion.changes().partitions == ()


def test_changed_file(ingestion: Ingestion, database: Database, landing: Path):
    """A file that changed is read again, alone."""
    put(landing, A, "Revenue grew.")
    put(landing, B, "Costs fell.")
    ingestion.read_documents(KEY)
    put(landing, A, "Revenue fell.")

    report = ingestion.read_documents(KEY)

    assert (report.read, report.unchanged) == ((A,), 1)
    assert texts(database) == {A: "Revenue fell.", B: "Costs fell."}


def test_changed_manifest_row(database: Database, landing: Path):
    """A new title in the manifest reaches the document and the context of its chunks; a new language does not."""
    ingestion = make(database, landing, room=64)
    put(landing, A, "Revenue grew.")
    ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)
    first = list(chunks(database))
    put(landing, "manifest.csv", f"path,company_name,title,period\n{A},X Inc.,Report of X Inc.,2024Q1\n")

    report = ingestion.read_documents(KEY)
    changes = ingestion.chunk_documents(KEY).changes

    assert report.read == (A,)
    assert changes == ChunkChanges(added=1, removed=1)
    assert (first, list(chunks(database))) == (["XTEST a\nRevenue grew."], ["Report of X Inc. 2024Q1\nRevenue grew."])
    put(landing, "manifest.csv", f"path,company_name,title,period,language\n{A},X Inc.,Report of X Inc.,2024Q1,en\n")
    ingestion.read_documents(KEY)
    assert ingestion.chunk_documents(KEY).documents == 0


def test_corrected_file(ingestion: Ingestion, database: Database, landing: Path):
    """A bad file that was corrected is read, and is no longer listed."""
    put(landing, A, b"\xff")
    ingestion.read_documents(KEY)
    put(landing, A, "Revenue grew.")

    report = ingestion.read_documents(KEY)

    assert (report.read, report.rejections) == ((A,), ())
    assert texts(database) == {A: "Revenue grew."}


def test_removed_bad_file(ingestion: Ingestion, landing: Path):
    """A bad file that was removed leaves the list."""
    put(landing, A, b"\xff")
    put(landing, f"{KEY}/a.doc", "x")
    ingestion.read_documents(KEY)
    (landing / A).unlink()
    (landing / f"{KEY}/a.doc").unlink()

    report = ingestion.read_documents(KEY)

    assert report.rejections == ()


def test_removed_document(ingestion: Ingestion, database: Database, landing: Path):
    """A good document whose file was removed stays stored."""
    put(landing, A, "Revenue grew.")
    ingestion.read_documents(KEY)
    (landing / A).unlink()

    report = ingestion.read_documents(KEY)

    assert (report.read, report.unchanged, report.rejections) == ((), 0, ())
    assert texts(database) == {A: "Revenue grew."}


def test_document_that_goes_bad(ingestion: Ingestion, database: Database, landing: Path):
    """A document that goes bad is listed and keeps its former text and chunks, until it is corrected."""
    put(landing, A, "Revenue grew.")
    ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)
    before = chunks(database)
    put(landing, A, b"\xff")

    report = ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)

    assert errors(report) == {A: "WrongEncoding"}
    assert texts(database) == {A: "Revenue grew."}
    assert chunks(database) == before
    put(landing, A, "Revenue fell.")
    assert ingestion.read_documents(KEY).read == (A,)
    assert texts(database) == {A: "Revenue fell."}


def test_other_partitions_are_left_alone(ingestion: Ingestion, database: Database, landing: Path):
    """Reading and chunking one partition touches no document, rejection or chunk of another."""
    put(landing, f"{OTHER}/a.txt", "公司营业收入增长。")
    put(landing, f"{OTHER}/b.txt", b"\xff")
    ingestion.read_documents(OTHER)
    ingestion.chunk_documents(OTHER)
    before = chunks(database)
    put(landing, f"{OTHER}/a.txt", "净利润下降。")
    put(landing, A, "Revenue grew.")

    report = ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)

    assert (report.read, report.rejections) == ((A,), ())
    assert texts(database)[f"{OTHER}/a.txt"] == "公司营业收入增长。"
    assert before.items() <= chunks(database).items()
    assert errors(ingestion.read_documents(OTHER)) == {f"{OTHER}/b.txt": "WrongEncoding"}


def test_name_that_is_not_utf8(ingestion: Ingestion, database: Database, landing: Path):
    """A document whose file name is not UTF-8 is stored, under a name that says which bytes it has."""
    put(landing, A, "Revenue grew.")
    os.rename(landing / A, os.fsencode(landing / str(KEY)) + b"/\xb9\xab.txt")

    report = ingestion.read_documents(KEY)

    assert report.rejections == ()
    assert rows(database, "SELECT source_uri, title FROM documents") == [(f"{KEY}/\\xb9\\xab.txt", "\\xb9\\xab")]
    ingestion.chunk_documents(KEY)
    assert ingestion.changes().partitions == ()


def test_link_that_leads_out_is_never_read(ingestion: Ingestion, database: Database, landing: Path, tmp_path: Path):
    """The text of a file outside does not come in through a link, into no table."""
    put(tmp_path, "secret.txt", "secret words")
    put(landing, B, "Revenue grew.")
    (landing / A).symlink_to(tmp_path / "secret.txt")

    report = ingestion.read_documents(KEY)

    assert errors(report) == {A: "OutsideLandingDirectory"}
    assert texts(database) == {B: "Revenue grew."}


@pytest.mark.parametrize("where", ["us", str(KEY), A])
def test_swapped_while_it_is_the_documents_turn(
    ingestion: Ingestion, database: Database, landing: Path, tmp_path: Path, where: str
):
    """A file, or a folder above it, swapped for a link out between the look and the reading, is not read."""
    put(tmp_path / "outside", A, "secret words")
    put(landing, A, "Revenue grew.")

    report = ingestion.read_documents(KEY, lambda _: swap(landing / where, tmp_path / "outside" / where))

    assert report.read == ()
    assert errors(report) == {A: "OutsideLandingDirectory"}
    assert texts(database) == {}


def test_bombs_are_listed_and_skipped(ingestion: Ingestion, database: Database, landing: Path):
    """What is beyond a bound is listed with the reason and not tried again; the others are read."""
    put(landing, A, "Revenue grew.")
    put(landing, f"{KEY}/claim.pdf", pdf(*[b""] * 10_001))
    put(landing, f"{KEY}/long.txt", "x" * 20_000_001)
    put(landing, f"{KEY}/z.pdf", pdf(lines(b"Costs fell.")))

    report = ingestion.read_documents(KEY)

    assert report.read == (A, f"{KEY}/z.pdf")
    assert errors(report) == {f"{KEY}/claim.pdf": "DocumentTooLarge", f"{KEY}/long.txt": "DocumentTooLarge"}
    assert texts(database) == {A: "Revenue grew.", f"{KEY}/z.pdf": "Costs fell."}
    assert ingestion.read_documents(KEY).unchanged == 4


def test_document_that_takes_for_ever(
    ingestion: Ingestion, database: Database, landing: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is given up in time, listed and not tried again until it changes; the next one is read."""
    monkeypatch.setattr(ingest, "ReaderProcess", lambda: ReaderProcess(seconds=0.5))
    put(landing, f"{KEY}/bomb.pdf", nested_forms(30, 2))
    put(landing, f"{KEY}/z.pdf", pdf(lines(b"Costs fell.")))

    report = ingestion.read_documents(KEY)

    assert report.read == (f"{KEY}/z.pdf",)
    assert errors(report) == {f"{KEY}/bomb.pdf": "DocumentTooSlow"}
    again: list[str] = []
    ingestion.read_documents(KEY, again.append)
    assert again == []


def test_no_document_is_blamed_for_this_machine(ingestion: Ingestion, landing: Path, monkeypatch: pytest.MonkeyPatch):
    """Where no process can be started nothing is listed, and the documents are read later."""
    put(landing, f"{KEY}/a.pdf", pdf(lines(b"Revenue grew.")))
    with monkeypatch.context() as ill:
        ill.setattr(sys, "executable", "/bin/false")
        with pytest.raises(ReaderNotStarted):
            ingestion.read_documents(KEY)

    report = ingestion.read_documents(KEY)

    assert (report.read, report.rejections) == ((f"{KEY}/a.pdf",), ())


def test_nothing_is_forgotten_when_the_directory_is_gone(ingestion: Ingestion, landing: Path):
    """Without landing directory, or with a bad manifest, reading stops before it changes anything."""
    put(landing, A, b"\xff")
    put(landing, "manifest.csv", "no\n")

    with pytest.raises(InvalidManifest):
        ingestion.read_documents(KEY)
    with pytest.raises(InvalidManifest):
        ingestion.changes()
    (landing / "manifest.csv").unlink()
    ingestion.read_documents(KEY)
    landing.rename(landing.with_name("away"))
    with pytest.raises(LandingDirectoryMissing):
        ingestion.read_documents(KEY)
    with pytest.raises(LandingDirectoryMissing):
        ingestion.changes()
    landing.with_name("away").rename(landing)

    assert errors(ingestion.read_documents(KEY)) == {A: "WrongEncoding"}


# Changes


def test_changes(ingestion: Ingestion, landing: Path):
    """Partitions with something new are named, by key, once each; those that were read since are not."""
    put(landing, A, "Revenue grew.")
    put(landing, B, "Costs fell.")
    put(landing, f"{OTHER}/a.txt", "x")
    before = ingestion.changes()

    ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)
    after = ingestion.changes()
    ingestion.read_documents(OTHER)
    ingestion.chunk_documents(OTHER)
    put(landing, f"{OTHER}/b.doc", "x")
    put(landing, A, "Revenue fell.")

    assert before.partitions == (OTHER, KEY)
    assert after.partitions == (OTHER,)
    assert ingestion.changes().partitions == (OTHER, KEY)


def test_what_makes_no_partition(ingestion: Ingestion, database: Database, landing: Path):
    """Rows of the manifest without a file, and files of other kinds, are remembered and make no partition."""
    put(landing, A, "Revenue grew.")
    put(landing, f"{OTHER}/a.doc", "x")
    put(landing, "manifest.csv", f"path\n{A}\n{OTHER}/b.txt\nus/10-K/GONE/c.txt\n")

    changes = ingestion.changes()

    assert (changes.partitions, changes.manifest_rows) == ((KEY,), 3)
    assert len(changes.misplaced) == 3
    remembered = rows(database, "SELECT partition FROM document_rejections ORDER BY 1")
    assert remembered == [(str(OTHER),), (str(OTHER),), ("us/10-K/GONE",)]


def test_a_file_of_the_same_size_and_time(ingestion: Ingestion, database: Database, landing: Path):
    """A file that replaces another is read, though it has its size and its time."""
    put(landing, A, "The dividend for 2023 is 5 cents.")
    ingestion.read_documents(KEY)
    moment = (landing / A).stat().st_mtime_ns

    (landing / "new").write_text("The dividend for 2024 is 9 cents.")
    (landing / "new").rename(landing / A)
    os.utime(landing / A, ns=(moment, moment))

    assert ingestion.changes().partitions == (KEY,)
    assert ingestion.read_documents(KEY).read == (A,)
    assert texts(database) == {A: "The dividend for 2024 is 9 cents."}


def test_reading_everything_again(ingestion: Ingestion, landing: Path):
    """On request documents are read again though nothing has changed, rejected ones too, and once."""
    put(landing, A, "Revenue grew.")
    put(landing, B, b"\xff")
    ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)

    changes = ingestion.changes(reread=True)
    report = ingestion.read_documents(KEY)

    assert changes.partitions == (KEY,)
    assert (report.read, report.unchanged, errors(report)) == ((A,), 0, {B: "WrongEncoding"})
    assert ingestion.changes().partitions == ()


def test_another_programs_document(ingestion: Ingestion, database: Database, landing: Path):
    """A document that another program stored under a file's path is left alone, and the file is listed."""
    columns = "market, doc_type, stock_code, source_uri, title, text"
    with database.transaction() as connection:
        connection.execute(
            f"INSERT INTO documents ({columns}) VALUES (%s, %s, %s, %s, 'theirs', '')", (*str(KEY).split("/"), A)
        )
    put(landing, A, "Revenue grew.")
    first = ingestion.read_documents(KEY)
    put(landing, A, "Revenue fell.")

    second = ingestion.read_documents(KEY)

    assert errors(first) == errors(second) == {A: "AnotherProgramsDocument"}
    assert rows(database, "SELECT title, text FROM documents") == [("theirs", "")]


def test_two_landing_directories(database: Database, landing: Path, tmp_path: Path):
    """A path means one document: another directory's other file is refused, its copy and its new place are not."""
    other_root = tmp_path / "other"
    other = make(database, other_root)
    put(landing, A, "Revenue grew.")
    make(database, landing).read_documents(KEY)
    put(other_root, A, "Costs fell.")

    refused = other.read_documents(KEY)
    put(other_root, A, "Revenue grew.")
    copied = other.read_documents(KEY)
    (other_root / A).unlink()
    put(landing, A, "Revenue grew a lot.")
    moved = make(database, landing).read_documents(KEY)

    assert errors(refused) == {A: "SamePathElsewhere"}
    assert (copied.read, moved.read) == ((A,), (A,))
    assert texts(database) == {A: "Revenue grew a lot."}


def test_what_is_read_in_part(ingestion: Ingestion, landing: Path):
    """What of a document could not be read is reported, also the next time, until the file is replaced."""
    put(landing, f"{KEY}/a.pdf", scanned(WORDS, (b"",)))

    first, second = ingestion.read_documents(KEY), ingestion.read_documents(KEY)
    put(landing, f"{KEY}/a.pdf", pdf(lines(*WORDS)))

    assert list(first.warnings) == [f"{KEY}/a.pdf"]
    assert second.warnings == first.warnings
    assert ingestion.read_documents(KEY).warnings == {}


def test_misplaced_files(ingestion: Ingestion, database: Database, landing: Path):
    """Files that lie in no partition are reported each time and remembered, until they are moved."""
    put(landing, "us/a.txt", "text")
    put(landing, "b.txt", "text")
    put(landing, "manifest.csv", "path\nnowhere.txt\n")
    remembered = "SELECT source_uri FROM document_rejections ORDER BY source_uri"

    first, second = ingestion.changes(), ingestion.changes()

    assert first == second
    assert first.partitions == ()
    assert [item.source_uri for item in first.misplaced] == ["b.txt", "us/a.txt", "nowhere.txt"]
    assert rows(database, remembered) == [("b.txt",), ("nowhere.txt",), ("us/a.txt",)]
    (landing / "b.txt").rename(landing / "us" / "b.pdf")
    ingestion.changes()
    assert rows(database, remembered) == [("nowhere.txt",), ("us/a.txt",), ("us/b.pdf",)]


def test_very_deep_misplaced_file(ingestion: Ingestion, database: Database, landing: Path):
    """A path longer than the database's index takes does not stop the others."""
    # Digests, for PostgreSQL would compress a path that repeats itself.
    folders = "/".join(sha512(bytes([number])).hexdigest() for number in range(27))
    put(landing, f"{folders}/a.txt", "text")
    put(landing, "manifest.csv", f"path\n{folders}/gone.txt\n")
    put(landing, A, "Revenue grew.")

    changes = ingestion.changes()

    assert changes.partitions == (KEY,)
    assert [item.error for item in changes.misplaced] == ["MisplacedDocument", "ManifestRowWithoutFile"]
    assert len(rows(database, "SELECT source_uri FROM document_rejections")) == 2


# Cutting


def test_documents_are_cut(ingestion: Ingestion, database: Database, landing: Path):
    """New documents are split into chunks in order; a chunked document is not chunked again."""
    put(landing, A, "one two three four. five six seven eight.")
    ingestion.read_documents(KEY)

    first, second = ingestion.chunk_documents(KEY), ingestion.chunk_documents(KEY)

    assert (first.documents, first.changes) == (1, ChunkChanges(added=2))
    assert (second.documents, second.changes) == (0, ChunkChanges())
    assert list(chunks(database)) == ["one two three four.", "five six seven eight."]


def test_chunks_have_their_place(ingestion: Ingestion, database: Database, landing: Path):
    """A chunk has its pages and its offsets in the document, also when they change and the chunk stays."""
    put(landing, A, "one two three four.\ffive six seven eight.")
    put(landing, f"{KEY}/b.pdf", pdf(lines(b"one page only")))
    put(landing, f"{KEY}/c.txt", "no pages here")
    ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)
    places = "SELECT chunk_index, char_from, char_to, page_from, page_to FROM document_chunks ORDER BY document_id, 1"
    first, before = rows(database, places), chunks(database)
    put(landing, A, "zero zero zero zero.\fone two three four.\ffive six seven eight.")

    ingestion.read_documents(KEY)
    changes = ingestion.chunk_documents(KEY).changes

    others = [(0, 0, 13, 1, 1), (0, 0, 13, None, None)]
    assert first == [(0, 0, 19, 1, 1), (1, 20, 41, 2, 2), *others]
    assert changes == ChunkChanges(unchanged=2, added=1)
    assert chunks(database).items() > before.items()
    assert rows(database, places) == [(0, 0, 20, 1, 1), (1, 21, 40, 2, 2), (2, 41, 62, 3, 3), *others]


def test_another_chunker(ingestion: Ingestion, database: Database, landing: Path):
    """A chunker with another size chunks all documents again, though no text changed."""
    put(landing, A, "one two three four. five six seven eight.")
    ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)

    report = make(database, landing, room=20).chunk_documents(KEY)

    assert (report.documents, report.changes) == (1, ChunkChanges(added=1, removed=2))
    assert list(chunks(database)) == ["one two three four. five six seven eight."]


def test_unchanged_chunks_keep_their_ids(ingestion: Ingestion, database: Database, landing: Path):
    """Of a changed document, chunks whose text stayed keep ids and vectors; removed ones take theirs along."""
    put(landing, A, "one two three four. five six seven eight. nine ten eleven twelve.")
    ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)
    before = chunks(database)
    embedder = HashEmbedder()
    make_vectorizer(database, embedder).vectorize_partition(KEY)
    put(landing, A, "zero zero zero zero. one two three four. nine ten eleven twelve.")

    ingestion.read_documents(KEY)
    changes = ingestion.chunk_documents(KEY).changes

    after = chunks(database)
    kept = ["one two three four.", "nine ten eleven twelve."]
    assert changes == ChunkChanges(unchanged=2, added=1, removed=1)
    assert list(after) == ["zero zero zero zero.", *kept]
    assert [after[text] for text in kept] == [before[text] for text in kept]
    vectors = rows(database, f"SELECT chunk_id FROM chunk_vectors_{embedder.space.slug} ORDER BY chunk_id")
    assert [id_ for (id_,) in vectors] == sorted(before[text] for text in kept)
    make_vectorizer(database, embedder).vectorize_partition(KEY)
    assert embedder.embedded[3:] == ["zero zero zero zero."]


# Languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Revenue grew by 5 %.", "en"),
        ("公司营业收入增长百分之五。", "zh"),
        ("Tencent (腾讯) reported its revenue for the year.", "en"),
        ("公司的EBITDA及GAAP口径净利润分别为1,234百万元及567百万元", "zh"),
        ("1,234 5,678 %", "en"),
        ("", "en"),
        ("Revenue " * 5_000 + "公司" * 50_000, "en"),
    ],
)
def test_language(text: str, language: str):
    """Chinese is what has a fifth of Chinese letters at its beginning; figures do not count."""
    assert language_of(text) == language


# What is to be done


def test_what_was_read_but_not_cut_is_still_to_be_done(ingestion: Ingestion, landing: Path):
    """Promise 2: a run that ended between the two steps loses no document."""
    put(landing, A, "one two three four.")
    ingestion.read_documents(KEY)

    assert ingestion.changes().partitions == (KEY,)
    ingestion.chunk_documents(KEY)
    assert ingestion.changes().partitions == ()


def test_another_chunker_has_everything_to_do(ingestion: Ingestion, database: Database, landing: Path):
    """A changed limit, or another model's tokenizer, is no silent no."""
    put(landing, A, "one two three four.")
    ingestion.read_documents(KEY)
    ingestion.chunk_documents(KEY)

    assert make(database, landing, room=50).changes().partitions == (KEY,)


def test_documents_of_other_programs_are_theirs_to_cut(ingestion: Ingestion, database: Database):
    """Their chunks stay as they wrote them."""
    rows(
        database,
        "INSERT INTO documents (market, doc_type, stock_code, source_uri, text, content_hash) "
        "VALUES ('us', 'annual_report', 'XTEST', 'theirs', 'one two three four five six seven', '')",
    )
    rows(
        database,
        "INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash) "
        "SELECT id, '', '', '', 0, 'as they split it', '' FROM documents",
    )

    assert ingestion.changes().partitions == ()
    ingestion.chunk_documents(KEY)

    assert list(chunks(database)) == ["as they split it"]
