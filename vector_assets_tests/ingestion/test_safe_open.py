"""Whatever links there are and come, only what lies below the folder is opened."""

import os
from pathlib import Path

import pytest

from vector_assets.ingestion.safe_open import OutsideFolder, open_below

from .links import swap_once


@pytest.fixture
def inside(landing: Path) -> Path:
    path = landing / "us" / "annual_report" / "a.txt"
    path.parent.mkdir(parents=True)
    path.write_text("inside")
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the landing directory, laid out like it."""
    folder = tmp_path / "outside"
    (folder / "annual_report").mkdir(parents=True)
    for place in ("a.txt", "annual_report/a.txt"):
        (folder / place).write_text("secret")
    return folder


def read(landing: Path, path: Path) -> str:
    with open_below(landing, path) as file:
        return file.read().decode()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_file_below(landing: Path, inside: Path) -> None:
    """A file in its place is opened, and nothing else stays open."""
    before = descriptors()

    assert read(landing, inside) == "inside"
    assert descriptors() == before


def test_links_that_stay_inside(landing: Path, inside: Path) -> None:
    """Links to files and folders inside are followed."""
    (landing / "file.txt").symlink_to(inside)
    (landing / "hk").symlink_to("us")

    assert read(landing, landing / "file.txt") == "inside"
    assert read(landing, landing / "hk" / "annual_report" / "a.txt") == "inside"


def test_folder_behind_a_link(landing: Path, inside: Path, tmp_path: Path) -> None:
    """The folder itself may be a link."""
    (tmp_path / "link").symlink_to(landing)

    assert read(tmp_path / "link", tmp_path / "link" / inside.relative_to(landing)) == "inside"


def test_paths_that_lead_out(landing: Path, inside: Path, outside: Path, tmp_path: Path) -> None:
    """Links, dots and absolute paths that lead out are refused, and so is a folder whose name only begins alike."""
    (landing / "file.txt").symlink_to(outside / "a.txt")
    (landing / "hk").symlink_to(outside)
    (landing / "chain.txt").symlink_to("file.txt")
    alike = tmp_path / "landing2"
    alike.mkdir()
    (alike / "a.txt").write_text("secret")
    out = ["file.txt", "hk/a.txt", "chain.txt", "../outside/a.txt", "us/../../outside/a.txt", "../landing2/a.txt"]

    for path in [*(landing / place for place in out), outside / "a.txt", Path("/etc/passwd"), landing, landing.parent]:
        with pytest.raises(OutsideFolder):
            open_below(landing, path)


@pytest.mark.parametrize("swapped", ["us", "us/annual_report", "us/annual_report/a.txt"])
def test_swapped_between_look_and_opening(
    landing: Path, inside: Path, outside: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file or folder that turns into a link out, after the path was found to stay inside, is not followed."""
    target = {"us": outside, "us/annual_report": outside / "annual_report"}.get(swapped, outside / "a.txt")
    before = descriptors()
    swap_once(monkeypatch, landing / swapped, target)

    with pytest.raises(OSError):  # noqa: PT011 - of the operating system, in its words
        open_below(landing, inside)

    assert (landing / swapped).is_symlink()
    assert inside.read_text() == "secret"
    assert descriptors() == before


def test_what_is_no_file(landing: Path, inside: Path) -> None:
    """Folders, and pipes that nobody writes to, are refused at once."""
    os.mkfifo(landing / "pipe.txt")
    before = descriptors()

    for path in (landing / "pipe.txt", landing / "us"):
        with pytest.raises(OSError, match="not a file"):
            open_below(landing, path)
    assert descriptors() == before
