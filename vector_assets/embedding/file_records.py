"""Records of files, kept beside them, by which a later start sees whether they are whole."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def file_record(file: Path) -> dict[str, Any]:
    """Describe a file: its sha256, and its size and its time, by which the next check need not read it."""
    return {"sha256": file_digest(file), **_stamp(file)}


def is_unchanged(file: Path, record: Mapping[str, Any]) -> bool:
    """Compare a file with its record. Only a file of another time, e.g. a copy, is read and hashed.

    Raises:
        OSError: the file cannot be read.
        LookupError: it is not a record.
    """
    found = _stamp(file)
    return found == {name: record[name] for name in found} or file_digest(file) == record["sha256"]


def file_digest(file: Path) -> str:
    """Return the sha256 in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _stamp(file: Path) -> dict[str, int]:
    info = file.stat()
    return {"bytes": info.st_size, "mtime_ns": info.st_mtime_ns}
