"""What counts as a document in the landing directory, and what is reported instead."""

import os
from pathlib import Path

import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import DocumentTooLarge, LandingDirectoryMissing, OutsideLandingDirectory, UnreadableDocument
from vector_assets.ingestion.document_limits import MAX_FILE_BYTES
from vector_assets.ingestion.landing_directory import LandingDirectory, LandingScan

from .links import swap

KEY = PartitionKey("us", "annual_report", "XTEST")
A = "us/annual_report/XTEST/a.txt"


def put(landing: Path, source_uri: str, text: str = "text") -> Path:
    path = landing / source_uri
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def scan(landing: Path, partition: PartitionKey | None = None) -> LandingScan:
    return LandingDirectory(landing).scan(partition)


def names(found: LandingScan) -> list[str]:
    return [item.source_uri for item in found.documents]


def reasons(found: LandingScan) -> dict[str, str]:
    return {item.source_uri: item.error for item in found.rejections}


def fingerprint(landing: Path) -> str:
    return scan(landing).fingerprints[A]


def test_documents_in_their_places(landing: Path):
    """Documents are found in all partitions, by path, each with its key."""
    for source_uri in ("us/annual_report/XTEST/b.HTML", A, "hk/announcement/00700/x.y.pdf", "cn/q/6-0.1/年报 2024.md"):
        put(landing, source_uri)

    found = scan(landing)

    assert names(found) == [
        "cn/q/6-0.1/年报 2024.md",
        "hk/announcement/00700/x.y.pdf",
        "us/annual_report/XTEST/a.txt",
        "us/annual_report/XTEST/b.HTML",
    ]
    assert [str(item.partition) for item in found.documents][:2] == ["cn/q/6-0.1", "hk/announcement/00700"]
    assert found.rejections == []


def test_one_partition(landing: Path):
    """A look at one partition finds its documents, problems and manifest rows, and nobody else's."""
    for source_uri in (A, "us/annual_report/XTEST/a.doc", "us/annual_report/OTHER/a.txt", "us/b.txt"):
        put(landing, source_uri)
    rows = ["us/annual_report/XTEST/gone.txt", "us/annual_report/OTHER/gone.txt"]
    put(landing, "manifest.csv", "\n".join(["path", *rows]))

    found = scan(landing, KEY)

    assert names(found) == [A]
    assert reasons(found) == {
        "us/annual_report/XTEST/a.doc": "UnsupportedFormat",
        "us/annual_report/XTEST/gone.txt": "ManifestRowWithoutFile",
    }
    assert {item.partition for item in found.rejections} == {KEY}


def test_partition_without_folder(landing: Path):
    """A partition that has no folder is empty, not an error."""
    found = scan(landing, KEY)

    assert found.fingerprints == {}


def test_partition_whose_folder_is_a_file(landing: Path):
    """A file in the place of a partition's folder is no partition; the look at everything reports it."""
    put(landing, str(KEY))

    assert scan(landing, KEY).fingerprints == {}
    assert reasons(scan(landing)) == {str(KEY): "MisplacedDocument"}


@pytest.mark.parametrize(
    ("source_uri", "problem"),
    [
        ("a.txt", "0 folders deep, not 3"),
        ("us/a.txt", "1 folders deep, not 3"),
        ("us/annual_report/a.doc", "2 folders deep, not 3"),
        ("us/annual_report/XTEST/2024/a.txt", "4 folders deep, not 3"),
        ("US/annual_report/XTEST/a.txt", "the market 'US' may hold only"),
        ("us/annual report/XTEST/a.txt", "the doc_type 'annual report' may hold only"),
        ("us/annual_report/腾讯/a.txt", "the stock_code '腾讯' may hold only"),
        ("us/annual_report/X...Y/a.txt", "made of dots"),
        (f"us/annual_report/{'X' * 65}/a.txt", "longer than 64 characters"),
    ],
)
def test_misplaced_documents(landing: Path, source_uri: str, problem: str):
    """A file that lies in no partition is reported with what is wrong and where it belongs."""
    put(landing, source_uri)

    found = scan(landing)

    (rejection,) = found.rejections
    assert names(found) == []
    assert (rejection.source_uri, rejection.partition, rejection.error) == (source_uri, None, "MisplacedDocument")
    assert problem in rejection.message
    assert "market/doc_type/stock_code/<file>" in rejection.message


@pytest.mark.parametrize("name", ["a.docx", "a", "README", "manifest.csv", "a.txt.gz"])
def test_unsupported_format(landing: Path, name: str):
    """In a partition's folder every file counts: one that no reader opens is reported."""
    put(landing, f"{KEY}/{name}")

    found = scan(landing)

    assert reasons(found) == {f"{KEY}/{name}": "UnsupportedFormat"}
    assert found.rejections[0].partition == KEY


@pytest.mark.parametrize("source_uri", [f"{KEY}/.a.txt", "us/.git/X/a.txt", ".hidden/a/X/a.txt", ".DS_Store", ".a.txt"])
def test_hidden_files(landing: Path, source_uri: str):
    """Hidden files, and all that lies in hidden folders, are no documents."""
    put(landing, source_uri)

    assert scan(landing).fingerprints == {}


@pytest.mark.parametrize("name", ["README.md", "readme.txt", "README", "sources.json", "fetch.sh"])
def test_files_about_the_directory(landing: Path, name: str):
    """A README and files that no reader opens may lie on top."""
    put(landing, name)
    put(landing, "manifest.csv", "path\n")

    assert scan(landing).fingerprints == {}


def test_missing_landing_directory(tmp_path: Path):
    """A landing directory that is missing, or is a file, is named with the setting that points elsewhere."""
    (tmp_path / "file").touch()

    for path in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(LandingDirectoryMissing, match=f"{path.name}.*VECTOR_ASSETS_LANDING_DIR"):
            scan(path)


# Links


def test_link_that_leads_out(landing: Path, tmp_path: Path):
    """A link to a file outside is refused; the file's time and size do not count as a document's."""
    secret = put(tmp_path, "secret.txt", "secret")
    put(landing, A).unlink()
    (landing / A).symlink_to(secret)

    found = scan(landing)

    assert names(found) == []
    assert reasons(found) == {A: "OutsideLandingDirectory"}
    assert found.rejections[0].partition == KEY


@pytest.mark.parametrize("where", ["us", "us/annual_report", str(KEY)])
def test_folder_that_leads_out(landing: Path, tmp_path: Path, where: str):
    """A folder outside is not looked into through a link, but the link is reported; so in one partition."""
    outside = tmp_path / "outside"
    put(outside, str(Path(A).relative_to(where)))
    (landing / where).parent.mkdir(parents=True, exist_ok=True)
    (landing / where).symlink_to(outside)

    assert reasons(scan(landing)) == {where: "OutsideLandingDirectory"}
    assert scan(landing, KEY).fingerprints == {}


def test_link_to_a_folder_inside(landing: Path):
    """A second name for a partition's folder is reported, not read twice."""
    put(landing, A)
    (landing / "us/annual_report/YTEST").symlink_to("XTEST")

    found = scan(landing)

    assert names(found) == [A]
    assert reasons(found) == {"us/annual_report/YTEST": "MisplacedDocument"}
    assert scan(landing, PartitionKey("us", "annual_report", "YTEST")).fingerprints == {}


def test_link_to_a_file_inside(landing: Path):
    """A link to a document inside is a document of its own."""
    put(landing, A)
    (landing / KEY.market / KEY.doc_type / KEY.stock_code / "b.txt").symlink_to("a.txt")

    assert names(scan(landing)) == [A, f"{KEY}/b.txt"]


@pytest.mark.parametrize("target", ["a.txt", "nowhere.txt", "../../../us"])
def test_link_to_no_file(landing: Path, target: str):
    """A link to itself, to nothing or to a folder is reported, and the others are found all the same."""
    put(landing, f"{KEY}/b.txt")
    (landing / A).symlink_to(target)

    found = scan(landing)

    assert names(found) == [f"{KEY}/b.txt"]
    assert reasons(found) == {A: "UnreadableDocument"}


def test_landing_directory_behind_a_link(landing: Path, tmp_path: Path):
    """The landing directory itself may be a link."""
    put(landing, A)
    (tmp_path / "link").symlink_to(landing)

    assert names(scan(tmp_path / "link")) == [A]
    assert names(scan(tmp_path / "link", KEY)) == [A]


@pytest.mark.parametrize("where", ["us", "us/annual_report", str(KEY), A])
def test_swapped_after_it_was_found(landing: Path, tmp_path: Path, where: str):
    """A document that leads out by the time it is read, itself or by a folder of its path, is not read."""
    outside = tmp_path / "outside"
    put(outside, A, "secret")
    put(landing, A)
    (found,) = scan(landing).documents
    swap(landing / where, outside / where)

    with pytest.raises(OutsideLandingDirectory, match=A):
        LandingDirectory(landing).read(found)


def test_swapped_for_what_is_no_file(landing: Path):
    """A document that is a pipe, a folder or gone by the time it is read is reported, and nobody waits."""
    path = put(landing, A)
    (found,) = scan(landing).documents
    path.unlink()
    directory = LandingDirectory(landing)

    with pytest.raises(UnreadableDocument, match="No such file"):
        directory.read(found)
    os.mkfifo(path)
    with pytest.raises(UnreadableDocument, match="it is not a file"):
        directory.read(found)
    path.unlink()
    path.mkdir()
    with pytest.raises(UnreadableDocument, match="it is not a file"):
        directory.read(found)


def test_file_beyond_the_bound(landing: Path):
    """A file larger than any filing is not held in memory."""
    with put(landing, A).open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    (found,) = scan(landing).documents

    with pytest.raises(DocumentTooLarge, match="larger than 128 MiB"):
        LandingDirectory(landing).read(found)


# Odd files


def test_pipe(landing: Path):
    """A pipe is reported, for reading it would never end."""
    (landing / A).parent.mkdir(parents=True)
    os.mkfifo(landing / A)

    found = scan(landing)

    assert reasons(found) == {A: "UnreadableDocument"}


def test_names_that_are_not_utf8(landing: Path):
    """File names that are not UTF-8 stay different, and can be shown and stored."""
    put(landing, A)
    folder = os.fsencode(landing / str(KEY))
    for name in (b"\xb9\xab.txt", b"\xb9\xac.txt"):
        with open(folder + b"/" + name, "w") as file:
            file.write("text")

    found = scan(landing)

    assert names(found)[1:] == [f"{KEY}/\\xb9\\xab.txt", f"{KEY}/\\xb9\\xac.txt"]
    assert all(item.source_uri.encode() and item.path.read_text() == "text" for item in found.documents)


def test_names_with_control_characters(landing: Path):
    """What would break a line, or steer a terminal, is spelled out in names and messages."""
    put(landing, f"{KEY}/a\n\x1b[2J.txt")
    put(landing, f"{KEY}/b\r.doc")

    found = scan(landing)

    assert names(found) == [f"{KEY}/a\\n\\x1b[2J.txt"]
    assert reasons(found) == {f"{KEY}/b\\r.doc": "UnsupportedFormat"}
    assert len(found.rejections[0].message.splitlines()) == 1


def test_path_longer_than_an_index_takes(landing: Path):
    """The name of a file that lies absurdly deep is shortened to what the database can index, and stays its own."""
    deep = "/".join(["d" * 200] * 15)
    put(landing, f"{deep}/a.txt")
    put(landing, f"{deep}/b.txt")

    found = scan(landing)

    assert len(found.fingerprints) == 2
    assert all(len(source_uri) < 300 for source_uri in found.fingerprints)


def test_folder_that_cannot_be_opened(landing: Path):
    """A folder whose path is too long to open is reported instead of passed over."""
    put(landing, A)
    top = os.open(landing, os.O_RDONLY)
    for _ in range(21):
        os.mkdir("d" * 200, dir_fd=top)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=top)
        os.close(top)
        top = below
    os.close(top)

    found = scan(landing)

    assert names(found) == [A]
    assert list(reasons(found).values()) == ["MisplacedDocument"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open any folder")
def test_folder_without_permission(landing: Path):
    """A folder that may not be opened is reported as such."""
    folder = put(landing, A).parent
    folder.chmod(0)

    found = scan(landing)

    folder.chmod(0o700)
    assert reasons(found) == {str(KEY): "UnreadableDocument"}


# The manifest beside the files


def test_manifest_row_and_file(landing: Path):
    """A document has its row; a file without row is a document all the same; a row without file is reported."""
    put(landing, A)
    put(landing, f"{KEY}/b.txt")
    put(landing, "manifest.csv", f"path,title\n{KEY}/b.txt,B\n{KEY}/c.txt,C\nnowhere.txt,D\n")

    found = scan(landing)

    assert [(item.source_uri, item.row.title if item.row else None) for item in found.documents] == [
        (A, None),
        (f"{KEY}/b.txt", "B"),
    ]
    assert [(item.source_uri, item.partition) for item in found.rejections] == [
        (f"{KEY}/c.txt", KEY),
        ("nowhere.txt", None),
    ]
    assert "row 3 of manifest.csv" in found.rejections[0].message


def test_manifest_row_spelled_by_another_system(landing: Path):
    """A row that Windows wrote, with backslashes, finds a file that macOS named, whose accents follow their letters."""
    named = f"{KEY}/Socie\u0301te\u0301.txt"
    put(landing, named)
    put(landing, "manifest.csv", f"path,title\n{KEY}/Société.txt,T\n{KEY}/gone.txt,G\n".replace("/", "\\"))

    for found in (scan(landing), scan(landing, KEY)):
        assert [(item.source_uri, item.row and item.row.title) for item in found.documents] == [(named, "T")]
        assert [(item.source_uri, item.partition) for item in found.rejections] == [(f"{KEY}/gone.txt", KEY)]


def test_manifest_row_of_a_rejected_file(landing: Path):
    """A file is reported once, though a row names it too."""
    put(landing, f"{KEY}/a.doc")
    put(landing, "manifest.csv", f"path\n{KEY}/a.doc\n")

    assert [item.error for item in scan(landing).rejections] == ["UnsupportedFormat"]


@pytest.mark.parametrize("source_uri", ["../a.txt", "/etc/passwd", "us/../../X/a.txt", "C:/a.txt"])
def test_manifest_path_that_leads_out(landing: Path, source_uri: str):
    """A row that names something outside is a row without file; nothing is looked up there."""
    put(landing, "manifest.csv", f"path\n{source_uri}\n")

    assert reasons(scan(landing)) == {source_uri: "ManifestRowWithoutFile"}


# Fingerprints


def test_fingerprint_stays(landing: Path):
    """What is not about the document leaves its fingerprint alone: other rows, its row's line, other files."""
    put(landing, A)
    put(landing, "manifest.csv", f"path,title\n{A},T\n")
    before = fingerprint(landing)

    put(landing, f"{KEY}/b.txt")
    put(landing, "manifest.csv", f"path,color,title\n{KEY}/b.txt,red,B\n{A},blue,T\n")

    assert fingerprint(landing) == before


def test_fingerprint_follows_size_and_time(landing: Path):
    """The fingerprint changes with the file's size and, at the same size, with its time."""
    path = put(landing, A, "one")
    os.utime(path, ns=(0, 1_000))
    first = fingerprint(landing)

    path.write_text("three")
    os.utime(path, ns=(0, 1_000))
    second = fingerprint(landing)
    os.utime(path, ns=(0, 1_001))
    third = fingerprint(landing)

    assert len({first, second, third}) == 3


def test_fingerprint_follows_the_manifest_row(landing: Path):
    """The fingerprint changes when the document gets a row, when a value in it changes, and back with both."""
    put(landing, A)
    without = fingerprint(landing)

    put(landing, "manifest.csv", f"path,title\n{A},T\n")
    first = fingerprint(landing)
    put(landing, "manifest.csv", f"path,title\n{A},U\n")
    second = fingerprint(landing)
    (landing / "manifest.csv").unlink()

    assert len({without, first, second}) == 3
    assert fingerprint(landing) == without


def test_fingerprint_of_a_rejected_file(landing: Path):
    """A file that cannot be used has a fingerprint too, and it follows the file."""
    path = put(landing, f"{KEY}/a.doc", "one")
    before = scan(landing).fingerprints

    path.write_text("longer")

    assert scan(landing).fingerprints != before
