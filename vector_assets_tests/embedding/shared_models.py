"""One folder of converted models for all test processes of a user, kept from one test run to the next."""

import getpass
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from fasteners import InterProcessLock

import vector_assets.embedding
from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL

from . import tiny_models
from .embedders import ENGLISH, openvino_embedder

_LIBRARIES = ("openvino", "sentence-transformers", "torch", "transformers")
# Folders of other versions of the code are removed when no test run has begun with them for so long.
_UNUSED_SECONDS = 3600


class SharedModels:
    """The tiny model, and the bundled ones and the tiny one converted and compiled. Tests only read them.

    The folder's name holds a digest of the code and the libraries that a conversion depends on. One process makes the
    folder while others wait for its lock.
    """

    def __init__(self) -> None:
        root = _own_folder()
        self._folder = root / _digest()
        with InterProcessLock(root / "lock"):
            if not self._ready.exists():
                shutil.rmtree(self._folder, ignore_errors=True)
                self._make()
            self._ready.touch()
            _remove_unused(root)

    @property
    def tiny(self) -> Path:
        """The tiny model, a BERT with mean pooling; `raw` beside it is the plain transformer."""
        return self._folder / "tiny" / "bert"

    @property
    def converted(self) -> Path:
        """What an embedder takes as its folder of converted models."""
        return self._folder / "models"

    @property
    def _ready(self) -> Path:
        return self._folder / "ready"

    def _make(self) -> None:
        tiny_models.make_tiny_model(self._folder / "tiny", "bert", "mean")
        precisions = {str(self.tiny): ("auto", "f32"), ENGLISH: ("auto", "f32"), MULTILINGUAL_MODEL: ("auto",)}
        for model in precisions:
            for precision in precisions[model]:
                embedder = openvino_embedder(model, self.converted, precision)
                assert embedder.device.startswith("OpenVINO"), f"{model} is not converted"


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"vector-assets-tests-of-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    assert folder.stat().st_uid == os.getuid(), f"{folder} belongs to somebody else"
    return folder


def _digest() -> str:
    digest = hashlib.sha256("".join(version(library) for library in _LIBRARIES).encode())
    for source in _sources():
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    """The files that decide what a converted model is."""
    package = Path(vector_assets.embedding.__file__).parent
    yield from sorted((package / "openvino").glob("*.py"))
    yield from sorted((package / "bundled").glob("*.py"))
    yield package / "torch_embedder.py"
    yield Path(tiny_models.__file__)


def _remove_unused(root: Path) -> None:
    for folder in root.glob("*/"):
        ready = folder / "ready"  # missing where the process that made the folder was killed
        last_used = (ready if ready.exists() else folder).stat().st_mtime
        if time.time() - last_used > _UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
