"""The place of a fault, and programs that end with their test."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from .places import Place


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not under pytest's own, which a server's user may not enter, and whose path is too long for a socket's."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def place(
    database_url: URL, dagster_database: None, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Two thousand pending chunks, and an empty directory for temporary files."""
    place = empty_place(database_url, tmp_path, landing, monkeypatch)
    place.fill()
    return place


def empty_place(url: URL, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The same, without chunks, in any database."""
    for variable in ("DAGSTER_HOME", "VECTOR_ASSETS_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(variable, "")  # so that what a run sets is undone
        monkeypatch.delenv(variable)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return Place(url, tmp_path / "home", landing, temporary)
