"""manifest.csv: company name, title, period and language of the documents."""

import csv
import io
import os
from dataclasses import astuple, dataclass
from pathlib import Path

from ..domain.wording import readable_bytes
from ..errors import InvalidManifest
from .safe_open import OutsideFolder, open_below

MANIFEST = "manifest.csv"
# Two million rows of the usual length.
MAX_MANIFEST_BYTES = 256 * 1024 * 1024
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


def read_manifest(root: Path) -> dict[str, ManifestRow]:
    """Return the row of each source_uri, or nothing if there is no manifest. Unknown columns are ignored.

    Raises:
        InvalidManifest: the file cannot be read, has no column `path`, names a path twice, or is a link to the outside.
    """
    path = root / MANIFEST
    if not os.path.lexists(path):
        return {}
    try:
        text = _read_bytes(root, path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidManifest(path, f"it cannot be read ({error})", "Save it as UTF-8 CSV.") from error
    return _read_rows(path, csv.DictReader(io.StringIO(text, newline=""), strict=True))


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


def _read_rows(path: Path, reader: "csv.DictReader[str]") -> dict[str, ManifestRow]:
    try:
        return _parse_rows(path, reader)
    except csv.Error as error:
        problem = f"it cannot be read (row {reader.reader.line_num}: {error})"
        # A quote that is not closed swallows the rows after it, so the fault may be in a row before this one.
        raise InvalidManifest(path, problem, "Check the quotes there and before; save it as UTF-8 CSV.") from error


def _parse_rows(path: Path, reader: "csv.DictReader[str]") -> dict[str, ManifestRow]:
    if reader.fieldnames is None:
        raise InvalidManifest(path, "it is empty", f"Fill it, or remove it. {_FORM}")
    if "path" not in reader.fieldnames:
        raise InvalidManifest(path, "the first row has no column `path`", _FORM)
    rows: dict[str, ManifestRow] = {}
    for record in reader:
        source_uri = (record["path"] or "").strip()
        if not source_uri:
            continue
        if any("\0" in value for value in record.values() if isinstance(value, str)):
            raise InvalidManifest(path, f"row {reader.line_num} holds NUL bytes", "Save it as UTF-8 CSV.")
        if source_uri in rows:
            both = f"rows {rows[source_uri].line} and {reader.line_num} both name {source_uri!r}"
            raise InvalidManifest(path, both, "Keep one of them.")
        columns = ("company_name", "title", "period", "language")
        rows[source_uri] = ManifestRow(reader.line_num, **{name: (record.get(name) or "").strip() for name in columns})
    return rows
