"""Keeps converted models on disk: each is found whole or not at all, also when two processes convert it at once.

A converted model is a folder with `model.xml`, `model.bin` and `conversion.json`, which holds a record of both. Where a
model cannot be converted, the folder holds only the reason in `conversion.json`, so that it is not tried again.
"""

import json
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from ...domain.wording import readable_bytes
from ...errors import ConversionFailed
from ...translation import translate
from ..file_records import file_record, is_unchanged

logger = logging.getLogger(__name__)

_FILES = ("model.xml", "model.bin")


@dataclass(frozen=True)
class ConvertedModel:
    """A converted model on disk."""

    folder: Path

    @property
    def xml(self) -> Path:
        """The graph; the weights lie beside it."""
        return self.folder / "model.xml"

    @property
    def compiled(self) -> Path:
        """The folder where OpenVINO keeps the model as it compiled it for a CPU, so that the next start is faster."""
        return self.folder / "compiled"


class ModelCache:
    """Converted models by name.

    Args:
        root: the directory with a folder for each of them.
        model: the name of the model that is looked for, for messages.
    """

    def __init__(self, root: Path, model: str) -> None:
        self._root = root
        self._model = model

    def has(self, name: str) -> bool:
        """Return whether there is such a model, whole or not."""
        return (self._root / name / "conversion.json").exists()

    def find(self, name: str) -> ConvertedModel | None:
        """Find a model that is there and whole; remove it where it is broken.

        Raises:
            ConversionFailed: an earlier attempt found that the model cannot be converted.
        """
        folder = self._root / name
        try:
            record = json.loads((folder / "conversion.json").read_text("utf-8"))
            if "refused" in record:
                raise ConversionFailed(self._model, record["refused"])
            if set(record) == set(_FILES) and all(is_unchanged(folder / name, record[name]) for name in _FILES):
                return ConvertedModel(folder)
        except FileNotFoundError:
            if not folder.exists():
                return None
        except (OSError, ValueError, LookupError, TypeError) as error:
            unread = translate("the converted model in {folder} cannot be read ({error})", folder=folder, error=error)
            logger.warning(unread)
        broken = translate("the converted model in {folder} is broken and will be converted again", folder=folder)
        logger.warning(broken)
        shutil.rmtree(folder, ignore_errors=True)
        return None

    def add(self, name: str, bytes_needed: int, write: Callable[[Path], None]) -> ConvertedModel:
        """Have a model written and keep it. Where `write` raises `ConversionFailed`, keep the reason instead.

        Args:
            name: the name of its folder.
            bytes_needed: free disk space that the conversion may need.
            write: writes `model.xml` and `model.bin` into the empty folder that it is given.

        Raises:
            ConversionFailed: raised by `write`, and kept; or the disk has no room, which is not kept.
        """
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned()
            self._require_room(bytes_needed)
            with tempfile.TemporaryDirectory(dir=self._root, prefix=f"{_work_prefix(os.getpid())}-") as work:
                _move(_written(Path(work) / "model", write), self._root / name)
        except OSError as error:
            raise ConversionFailed(self._model, f"{self._root} cannot be written ({error.strerror})") from error
        added = self.find(name)  # where another process was faster, its result counts
        if added is None:
            raise ConversionFailed(self._model, f"{self._root} was changed meanwhile")
        return added

    def _remove_abandoned(self) -> None:
        """Remove the unfinished work, which may be large, of processes of this machine that were killed."""
        for folder in self._root.glob(".converting-*"):
            owner, _, _ = folder.name.rpartition("-")
            _, _, pid = owner.rpartition("-")
            if pid.isdecimal() and owner == _work_prefix(int(pid)) and not psutil.pid_exists(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)

    def _require_room(self, bytes_needed: int) -> None:
        """Look before the work: OpenVINO reports a full disk like a model that cannot be converted."""
        free = shutil.disk_usage(self._root).free
        if free < bytes_needed:
            reason = f"{self._root} has {readable_bytes(free)} free, {readable_bytes(bytes_needed)} are needed"
            raise ConversionFailed(self._model, reason)


def _work_prefix(pid: int) -> str:
    """Name a process's unfinished work; several machines may share the directory."""
    return f".converting-{socket.gethostname()}-{pid}"


def _written(folder: Path, write: Callable[[Path], None]) -> Path:
    """Make the folder with the model that `write` writes, or with the reason why it cannot."""
    folder.mkdir()
    try:
        write(folder)
        record: dict[str, object] = {name: file_record(folder / name) for name in _FILES}
    except ConversionFailed as error:
        shutil.rmtree(folder)
        folder.mkdir()
        record = {"refused": error.reason}
    (folder / "conversion.json").write_text(json.dumps(record), "utf-8")
    return folder


def _move(folder: Path, target: Path) -> None:
    """Rename the folder, unless another process has put its own there already."""
    try:
        os.rename(folder, target)
    except OSError:
        if not (target / "conversion.json").exists():
            raise
