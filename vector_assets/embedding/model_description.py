"""Reads a model's embedding space from its files, without loading the model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..domain.spaces import EmbeddingSpace
from ..errors import InvalidModel
from .model_files import ModelFolder, read_json_object, weights_digest, wrong_file
from .model_options import require_supported, stages, transformer_options
from .prompts import find_prompts


def describe_space(
    folder: ModelFolder, document_prompt: str | None = None, query_prompt: str | None = None
) -> EmbeddingSpace:
    """Read the embedding space from the model's files. A prompt that is given replaces the model's own.

    Raises:
        InvalidModel: a file is missing, broken, says nothing about dimension or token limit, or asks for something
            that is not supported.
    """
    require_supported(folder)
    modules = _modules(folder)
    prompts = find_prompts(folder, document_prompt, query_prompt)
    return EmbeddingSpace(
        model=folder.name,
        revision=folder.revision,
        pooling=_pooling(modules),
        document_prompt=prompts.document,
        query_prompt=prompts.query,
        dimension=_dimension(folder, modules),
        max_tokens=_max_tokens(folder, modules),
        weights_digest=weights_digest(folder),
        source=folder.source,
    )


@dataclass(frozen=True)
class _Module:
    """One stage of a sentence-transformers model: its class's name, its folder, its config.json."""

    folder: ModelFolder
    kind: str
    path: Path
    config: Mapping[str, Any]

    def number(self, key: str) -> int | None:
        return _number(self.folder, str(self.path / "config.json"), self.config, key)


def _modules(folder: ModelFolder) -> list[_Module]:
    return [
        _Module(folder, stage.kind, stage.path, read_json_object(folder, str(stage.path / "config.json")))
        for stage in stages(folder)
    ]


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
        raise wrong_file(pooling.folder, str(pooling.path / "config.json"), "has a pooling_mode that is not a text")
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
    own, options = transformer_options(folder)
    limit = _number(folder, own, options, "max_seq_length")
    if limit is None:
        tokenizers = str(modules[0].path / "tokenizer_config.json")
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
        raise wrong_file(folder, file, f"has {key} {value!r}, which is no count")
    return int(value)
