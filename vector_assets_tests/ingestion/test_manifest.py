"""manifest.csv: read whole or refused whole."""

import codecs
import os
from pathlib import Path

import pytest

from vector_assets.errors import InvalidManifest
from vector_assets.ingestion import manifest
from vector_assets.ingestion.manifest import ManifestFile, ManifestRow, read_manifest

from .links import swap_once


def write(landing: Path, data: str | bytes) -> None:
    (landing / "manifest.csv").write_bytes(data if isinstance(data, bytes) else data.encode())


def test_no_manifest(landing: Path):
    """Without a manifest nothing is known."""
    assert read_manifest(landing) == {}


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_rows(landing: Path, mark: bytes):
    """Columns are found by name in any order, values are trimmed, other columns passed over; Excel's mark too."""
    write(landing, mark + "title,color,path,language\r\n 年报 ,red, a/b/C/d.txt ,zh\r\n".encode())

    rows = read_manifest(landing)

    assert rows == {"a/b/C/d.txt": ManifestRow(2, title="年报", language="zh")}


def test_quoted_values(landing: Path):
    """A value may hold commas and line ends; the row is known by its last line."""
    write(landing, 'path,company_name\na.txt,"Ant, Bee\nand Co."\nb.txt,C\n')

    rows = read_manifest(landing)

    assert [(row.line, row.company_name) for row in rows.values()] == [(3, "Ant, Bee\nand Co."), (4, "C")]


def test_short_and_long_rows(landing: Path):
    """A row may lack values at its end, hold too many, or name no path."""
    write(landing, "path,company_name,title\na.txt\nb.txt,B,T,too,many\n,nobody\n\n")

    rows = read_manifest(landing)

    assert rows == {"a.txt": ManifestRow(2), "b.txt": ManifestRow(3, company_name="B", title="T")}


@pytest.mark.parametrize(
    ("data", "problem", "fix"),
    [
        ("", "it is empty", "Fill it, or remove it. The first row must name the columns"),
        ("company_name,title\nA,B\n", "no column `path`", "The first row must name the columns"),
        ("path;title\na.txt;T\n", "no column `path`", "with commas between them"),
        ("path,title\na.txt,A\nb.txt,B\n a.txt,C\n", "rows 2 and 4 both name 'a.txt'", "Keep one of them."),
        ("path,title\na.txt,年报\n".encode("gb18030"), "cannot be read", "Save it as UTF-8 CSV."),
        ("path,title\na.txt,A\n".encode("utf-16"), "cannot be read", "Save it as UTF-8 CSV."),
        ('path,title\na.txt,"open', "cannot be read (row 2", "Check the quotes"),
        ("path,title\na.txt,A\0B\n", "row 2 holds NUL bytes", "Save it as UTF-8 CSV."),
        ("path,title\na\0.txt,A\n", "row 2 holds NUL bytes", "Save it as UTF-8 CSV."),
        ("path,title\na.txt," + "x" * 200_000, "cannot be read (row 2", "Check the quotes"),
    ],
)
def test_invalid_manifest(landing: Path, data: str | bytes, problem: str, fix: str):
    """The error of a manifest that cannot be used says where and why, and how to fix just that."""
    write(landing, data)

    with pytest.raises(InvalidManifest) as caught:
        read_manifest(landing)

    reason, advice = str(caught.value).split(". ", 1)
    assert problem in reason
    assert fix in advice
    assert ("first row" in advice) == ("first row" in fix or "with commas" in fix)


def test_manifest_is_a_folder(landing: Path):
    """A manifest that is not a file is not passed over in silence."""
    (landing / "manifest.csv").mkdir()

    with pytest.raises(InvalidManifest, match="not a file"):
        read_manifest(landing)


def test_manifest_that_may_not_be_read(landing: Path, monkeypatch: pytest.MonkeyPatch):
    """Its form is not to blame. Tests may run as root, whom no permission stops."""
    write(landing, "path\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "manifest.csv")

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(InvalidManifest, match=r"Permission denied\)\. Check its permissions\.$"):
        read_manifest(landing)


def test_manifest_links_to_itself(landing: Path):
    """A link that leads nowhere is not taken for a missing manifest."""
    (landing / "manifest.csv").symlink_to("manifest.csv")

    with pytest.raises(InvalidManifest):
        read_manifest(landing)


def test_manifest_links_out(landing: Path, tmp_path: Path):
    """A manifest outside the landing directory is not read through a link."""
    (tmp_path / "secret.csv").write_text("path,title\na.txt,secret\n")
    (landing / "manifest.csv").symlink_to(tmp_path / "secret.csv")

    with pytest.raises(InvalidManifest, match="leads out of the landing directory"):
        read_manifest(landing)


def test_manifest_is_a_pipe(landing: Path):
    """Nobody waits for a writer that never comes."""
    os.mkfifo(landing / "manifest.csv")

    with pytest.raises(InvalidManifest, match="not a file"):
        read_manifest(landing)


def test_manifest_that_turns_into_a_link(landing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A link put in its place after it was looked at is not followed."""
    (tmp_path / "secret.csv").write_text("path,title\na.txt,secret\n")
    write(landing, "path\n")
    swap_once(monkeypatch, landing / "manifest.csv", tmp_path / "secret.csv")

    with pytest.raises(InvalidManifest, match="cannot be read"):
        read_manifest(landing)


def test_manifest_beyond_the_bound(landing: Path, monkeypatch: pytest.MonkeyPatch):
    """A manifest beyond all bounds is refused, not held in memory."""
    monkeypatch.setattr(manifest, "MAX_MANIFEST_BYTES", 20)
    write(landing, "path\n" + "a" * 20)

    with pytest.raises(InvalidManifest, match="larger than 20 Bytes"):
        read_manifest(landing)


def test_mark():
    """A row's mark follows its values, each in its own column, and not its line."""
    row = ManifestRow(2, company_name="A", title="B")

    assert row.values_mark == ManifestRow(9, company_name="A", title="B").values_mark
    assert row.values_mark != ManifestRow(2, company_name="B", title="A").values_mark
    assert row.values_mark != ManifestRow(2, company_name="AB").values_mark


def test_the_manifest_is_read_again_only_when_it_has_changed(landing: Path):
    """While the file is the same, so are its rows; a file that replaces it with its size and time is read."""
    write(landing, "path,title\na.txt,A\n")
    manifest = ManifestFile(landing)
    first, second = manifest.rows(), manifest.rows()
    moment = (landing / "manifest.csv").stat().st_mtime_ns
    (landing / "new").write_text("path,title\na.txt,B\n")
    (landing / "new").rename(landing / "manifest.csv")
    os.utime(landing / "manifest.csv", ns=(moment, moment))

    third = manifest.rows()

    assert first is second
    assert (first["a.txt"].title, third["a.txt"].title) == ("A", "B")


def test_rows_of_a_folder(landing: Path):
    """The rows of one folder are found among all, those of folders in it and beside it are not."""
    write(landing, "path\nus/a/X/2.txt\nus/a/X/1.txt\nus/a/X/y/1.txt\nus/a/XY/1.txt\nus/a/X.txt\n")

    assert list(read_manifest(landing).in_folder("us/a/X")) == ["us/a/X/1.txt", "us/a/X/2.txt"]


@pytest.mark.parametrize(
    "path", ["us\\a\\X\\Société.txt", ".\\us\\a\\X\\Socie\u0301te\u0301.txt", "./us/a/X/Société.txt"]
)
def test_paths_as_other_systems_write_them(landing: Path, path: str):
    """A row is found by the name of its file, however the system spells it that wrote the row or named the file."""
    write(landing, f"path,title\n{path},T\n")

    rows = read_manifest(landing)

    assert [rows[f"us/a/X/{name}.txt"].title for name in ("Société", "Socie\u0301te\u0301")] == ["T", "T"]
    assert list(rows.in_folder("us/a/X")) == ["us/a/X/Société.txt"]


def test_one_path_in_two_spellings(landing: Path):
    """Two rows of one file are refused, however they are spelled."""
    write(landing, "path,title\nus/a/X/1.txt,A\nus\\a\\X\\1.txt,B\n")

    with pytest.raises(InvalidManifest, match=r"rows 2 and 3 both name 'us/a/X/1\.txt'"):
        read_manifest(landing)
