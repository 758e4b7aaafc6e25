"""manifest.csv: what is known of the documents beside their text."""

import csv
import io
import os
from dataclasses import astuple, dataclass
from pathlib import Path

from ..domain.wording import readable_bytes
from ..errors import InvalidManifest
from .safe_open import LeadsOut, open_below

MANIFEST = "manifest.csv"
# Two million rows of the usual length.
_MOST_BYTES = 256 * 1024 * 1024
_FORM = "The first row must name the columns, with commas between them, and one must be `path`."


@dataclass(frozen=True)
class ManifestRow:
    """One line: what the file does not say of itself. Columns that are not there are empty."""

    line: int
    company_name: str = ""
    title: str = ""
    period: str = ""
    language: str = ""

    @property
    def mark(self) -> str:
        """Changes when a value does, not when the line moves."""
        return "\x1f".join(astuple(self)[1:])


def read_manifest(root: Path) -> dict[str, ManifestRow]:
    """source_uri -> its row; empty where there is no manifest. Columns that are not known are passed over.

    Raises:
        InvalidManifest: it cannot be read, has no column `path`, names a path twice, or is a link that leads out.
    """
    path = root / MANIFEST
    if not os.path.lexists(path):
        return {}
    try:
        text = _bytes(root, path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidManifest(path, f"it cannot be read ({error})", "Save it as UTF-8 CSV.") from error
    return _rows(path, csv.DictReader(io.StringIO(text, newline=""), strict=True))


def _bytes(root: Path, path: Path) -> bytes:
    if os.path.exists(path) and not os.path.isfile(path):
        raise InvalidManifest(path, "it is not a file", f"Put a CSV file there, or remove it. {_FORM}")
    try:
        with open_below(root, path) as file:
            data = file.read(_MOST_BYTES + 1)
    except LeadsOut as error:
        problem = "it is a link that leads out of the landing directory"
        raise InvalidManifest(path, problem, "Copy the file in instead of linking it.") from error
    except OSError as error:
        raise InvalidManifest(path, f"it cannot be read ({error.strerror})", "Check its permissions.") from error
    if len(data) > _MOST_BYTES:
        problem = f"it is larger than {readable_bytes(_MOST_BYTES)}"
        raise InvalidManifest(path, problem, "Keep the rows of documents that are there.")
    return data


def _rows(path: Path, reader: "csv.DictReader[str]") -> dict[str, ManifestRow]:
    try:
        return _known(path, reader)
    except csv.Error as error:
        problem = f"it cannot be read (row {reader.reader.line_num}: {error})"
        # What opens a quote and does not close it swallows the rows after it.
        raise InvalidManifest(path, problem, "Check the quotes there and before; save it as UTF-8 CSV.") from error


def _known(path: Path, reader: "csv.DictReader[str]") -> dict[str, ManifestRow]:
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
        known = ("company_name", "title", "period", "language")
        rows[source_uri] = ManifestRow(reader.line_num, **{name: (record.get(name) or "").strip() for name in known})
    return rows
