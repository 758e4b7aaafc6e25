"""Models made for OpenVINO, kept on disk: found whole or not at all, safe when two processes make the same one.

A model is a folder: `model.xml`, `model.bin` and `conversion.json`, which holds the sha256 of both, or, where the model
cannot be made, only the reason in `conversion.json`, so that it is not tried again.
"""

import hashlib
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

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptModel:
    """A model on disk."""

    folder: Path

    @property
    def xml(self) -> Path:
        """The graph; the weights lie beside it."""
        return self.folder / "model.xml"


class ModelCache:
    """The made forms of one model.

    Args:
        root: the directory with a folder for each.
        model: the model's name, for messages.
    """

    def __init__(self, root: Path, model: str) -> None:
        self.root = root
        self._model = model

    def find(self, name: str) -> KeptModel | None:
        """The model if it is there and whole; a broken one is removed.

        Raises:
            ConversionFailed: it is known that it cannot be made.
        """
        folder = self.root / name
        try:
            known = json.loads((folder / "conversion.json").read_text("utf-8"))
            if "refused" in known:
                raise ConversionFailed(self._model, known["refused"])
            if known == _digests(folder):
                return KeptModel(folder)
        except FileNotFoundError:
            if not folder.exists():
                return None
        except (OSError, ValueError) as error:
            logger.warning("the converted model in %s cannot be read (%s)", folder, error)
        logger.warning("the converted model in %s is broken; it is made anew", folder)
        shutil.rmtree(folder, ignore_errors=True)
        return None

    def keep(self, name: str, needed: int, make: Callable[[Path], None]) -> KeptModel:
        """Have the model made in an empty folder and keep it, or the reason of the `ConversionFailed` that is raised.

        Args:
            name: of its folder.
            needed: bytes of disk that it may take while it is made.
            make: writes `model.xml` and `model.bin` into the folder that it is given.

        Raises:
            ConversionFailed: by `make`, which is remembered; or there is no room for it here, which is not.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned()
            self._refuse_without_room(needed)
            with tempfile.TemporaryDirectory(dir=self.root, prefix=f"{_work_of(os.getpid())}-") as work:
                made = Path(work) / "made"
                made.mkdir()
                try:
                    make(made)
                    known = _digests(made)
                except ConversionFailed as error:
                    shutil.rmtree(made)
                    made.mkdir()
                    known = {"refused": error.reason}
                (made / "conversion.json").write_text(json.dumps(known), "utf-8")
                _put(made, self.root / name)
        except OSError as error:
            raise ConversionFailed(self._model, f"{self.root} cannot be written ({error.strerror})") from error
        kept = self.find(name)  # where another process was faster, its outcome counts
        if kept is None:
            raise ConversionFailed(self._model, f"{self.root} was changed meanwhile")
        return kept

    def _remove_abandoned(self) -> None:
        """Work of processes of this machine that were killed at it, which may be large and is of no use to anybody."""
        for folder in self.root.glob(".converting-*"):
            owner, _, _ = folder.name.rpartition("-")
            _, _, pid = owner.rpartition("-")
            if pid.isdecimal() and owner == _work_of(int(pid)) and not psutil.pid_exists(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)

    def _refuse_without_room(self, needed: int) -> None:
        """OpenVINO reports a full disk as any other failure, which would then be remembered as the model's fault."""
        free = shutil.disk_usage(self.root).free
        if free < needed:
            reason = f"{self.root} has {readable_bytes(free)} free, {readable_bytes(needed)} are needed"
            raise ConversionFailed(self._model, reason)


def _work_of(pid: int) -> str:
    """What the names of a process's folders begin with; several machines may share the cache."""
    return f".converting-{socket.gethostname()}-{pid}"


def _put(made: Path, target: Path) -> None:
    """Rename into place, unless somebody was faster."""
    try:
        os.rename(made, target)
    except OSError:
        if not (target / "conversion.json").exists():
            raise


def _digests(folder: Path) -> dict[str, str]:
    files = {}
    for name in ("model.xml", "model.bin"):
        with (folder / name).open("rb") as file:
            files[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return files
