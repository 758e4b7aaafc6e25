"""Somebody who swaps what lies in the landing directory for a link, in the worst moment."""

import os
from pathlib import Path

import pytest


def swap(path: Path, target: Path) -> None:
    """Put a link in the place of a file or a folder."""
    path.rename(path.with_name(f".former-{path.name}"))
    path.symlink_to(target)


def swap_once(monkeypatch: pytest.MonkeyPatch, path: Path, target: Path) -> None:
    """Swap as soon as the path's links have been resolved, before anything is opened."""
    resolve = os.path.realpath

    def resolve_then_swap(asked: os.PathLike[str] | str) -> str:
        resolved = resolve(asked)
        if not path.is_symlink() and Path(resolved).is_relative_to(path):
            swap(path, target)
        return resolved

    monkeypatch.setattr(os.path, "realpath", resolve_then_swap)
