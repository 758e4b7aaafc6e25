"""manifest.csv: company name, title, period and language of the documents."""

import csv
import io
import os
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from ..domain.wording import readable_bytes
from ..errors import InvalidManifest
from .safe_open import OutsideFolder, open_below


class _Reader(Protocol):
    """A reader of the module csv, whose class has no public name."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


MANIFEST = "manifest.csv"
_COLUMNS = ("company_name", "title", "period", "language")
# Two million rows of the usual length.
MAX_MANIFEST_BYTES = 256 * 1024 * 1024
# A row's line and its values. Python's collector of garbage passes over a flat tuple: a third of the time of reading.
_Record = tuple[int, *tuple[str, ...]]
_FORM = "The first row must name the columns, with commas between them, and one must be `path`."


@dataclass(frozen=True)
class ManifestRow:
    """The row of one document. Columns that the manifest does not have are empty."""

    line: int
    company_name: str = ""
    title: str = ""
    period: str = ""
    language: str = ""

    @property
    def values_mark(self) -> str:
        """A string that changes when a value changes, and stays the same when the row moves to another line."""
        return "\x1f".join(astuple(self)[1:])


def portable_path(path: str) -> str:
    """Return the one spelling of paths that name the same file on Windows, macOS and Linux.

    Windows writes backslashes, some listings begin with `./`, and macOS writes an accent after its letter.
    """
    path = path.replace("\\", "/").removeprefix("./")
    return path if path.isascii() else unicodedata.normalize("NFC", path)


class Manifest(Mapping[str, ManifestRow]):
    """The rows of a manifest by source_uri, however either is spelled; `portable_path` gives the spelling of its keys.

    A row is made when it is looked up, because most of them never are.
    """

    def __init__(self, columns: Mapping[str, int], records: Mapping[str, _Record]) -> None:
        self._records = records
        self._places = {name: columns[name] for name in _COLUMNS if name in columns}

    def __getitem__(self, source_uri: str) -> ManifestRow:
        line, *record = self._records[portable_path(source_uri)]
        values = {name: record[at].strip() for name, at in self._places.items() if at < len(record)}
        return ManifestRow(line, **values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def in_folder(self, folder: str) -> Iterator[str]:
        """Yield the source_uris of the files in a folder, by name."""
        start = f"{portable_path(folder)}/"
        for at in range(bisect_left(self._sorted, start), len(self._sorted)):
            source_uri = self._sorted[at]
            if not source_uri.startswith(start):
                return
            if "/" not in source_uri[len(start) :]:
                yield source_uri

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._records)


_NO_MANIFEST = Manifest({}, {})


class ManifestFile:
    """The manifest of a landing directory, which is read again only when the file has changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: tuple[tuple[int, ...], Manifest] | None = None

    def rows(self) -> Manifest:
        """Return the manifest as it is now. Raises what `read_manifest` raises."""
        try:
            stat = os.stat(self._root / MANIFEST)
        except OSError:
            return read_manifest(self._root)
        state = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        if self._read is None or self._read[0] != state:
            self._read = state, read_manifest(self._root)
        return self._read[1]


def read_manifest(root: Path) -> Manifest:
    """Return the rows of the manifest, or none if there is no manifest. Unknown columns are ignored.

    Raises:
        InvalidManifest: the file cannot be read, has no column `path`, names a path twice, or is a link to the outside.
    """
    path = root / MANIFEST
    if not os.path.lexists(path):
        return _NO_MANIFEST
    try:
        text = _read_bytes(root, path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidManifest(path, f"it cannot be read ({error})", "Save it as UTF-8 CSV.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return _parse_rows(path, reader, "\0" in text)
    except csv.Error as error:
        problem = f"it cannot be read (row {reader.line_num}: {error})"
        # A quote that is not closed swallows the rows after it, so the fault may be in a row before this one.
        raise InvalidManifest(path, problem, "Check the quotes there and before; save it as UTF-8 CSV.") from error


def _read_bytes(root: Path, path: Path) -> bytes:
    if os.path.exists(path) and not os.path.isfile(path):
        raise InvalidManifest(path, "it is not a file", f"Put a CSV file there, or remove it. {_FORM}")
    try:
        with open_below(root, path) as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OutsideFolder as error:
        problem = "it is a link that leads out of the landing directory"
        raise InvalidManifest(path, problem, "Copy the file in instead of linking it.") from error
    except OSError as error:
        raise InvalidManifest(path, f"it cannot be read ({error.strerror})", "Check its permissions.") from error
    if len(data) > MAX_MANIFEST_BYTES:
        problem = f"it is larger than {readable_bytes(MAX_MANIFEST_BYTES)}"
        raise InvalidManifest(path, problem, "Keep the rows of documents that are there.")
    return data


def _parse_rows(path: Path, reader: _Reader, has_nul_bytes: bool) -> Manifest:
    names = next(reader, None)
    if names is None:
        raise InvalidManifest(path, "it is empty", f"Fill it, or remove it. {_FORM}")
    if "path" not in names:
        raise InvalidManifest(path, "the first row has no column `path`", _FORM)
    columns = {name: at for at, name in enumerate(names)}
    place = columns["path"]
    records: dict[str, _Record] = {}
    for record in reader:
        source_uri = portable_path(record[place].strip()) if place < len(record) else ""
        if not source_uri:
            continue
        if has_nul_bytes and any("\0" in value for value in record[: len(names)]):
            raise InvalidManifest(path, f"row {reader.line_num} holds NUL bytes", "Save it as UTF-8 CSV.")
        if source_uri in records:
            both = f"rows {records[source_uri][0]} and {reader.line_num} both name {source_uri!r}"
            raise InvalidManifest(path, both, "Keep one of them.")
        records[source_uri] = (reader.line_num, *record)
    return Manifest(columns, records)
