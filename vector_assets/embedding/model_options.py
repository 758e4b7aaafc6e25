"""Options in a model's files that decide, beside its tokenizer and its weights, which vector a text gets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import InvalidModel
from .model_files import ModelFolder, read_json, read_json_object, wrong_file

# The names of the transformer's own file, in the order in which sentence-transformers looks for them.
_TRANSFORMER_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
# Stages that need only what the tokenizer gives, whether the text is a document or a question.
_STAGES = {
    "Transformer",
    "Pooling",
    "Dense",
    "Normalize",
    "LayerNorm",
    "Dropout",
    "WeightedLayerPooling",
    "CNN",
    "LSTM",
}
# Options of a transformer that change its input in ways which only sentence-transformers' own `encode` follows.
_REFUSED = ("processing_kwargs", "query_length", "document_length", "query_expansion")
# Arguments of the tokenizer that need no heed: the limit is read elsewhere, and padding is masked.
_HARMLESS = {"model_max_length", "padding_side", "use_fast", "trust_remote_code", "revision", "cache_dir"}


@dataclass(frozen=True)
class Stage:
    """One stage of a sentence-transformers model: its class's name, and its folder in the model's."""

    kind: str
    path: Path


def stages(folder: ModelFolder) -> list[Stage]:
    """List the stages in order; a plain transformer is one.

    Raises:
        InvalidModel: their file cannot be used.
    """
    entries = read_json(folder, "modules.json", default=[{}])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise wrong_file(folder, "modules.json", "is not a list of objects")
    return [
        Stage(str(entry.get("type", "Transformer")).rpartition(".")[2], Path(str(entry.get("path", ""))))
        for entry in entries
    ]


@dataclass(frozen=True)
class TextOptions:
    """How a text becomes tokens, beyond the tokenizer's file: in lower case first, and which end a long one loses."""

    lower_case: bool
    truncation_side: Literal["left", "right"]


def text_options(folder: ModelFolder) -> TextOptions:
    """Read how a text becomes tokens.

    Raises:
        InvalidModel: a file cannot be used.
    """
    file, options = transformer_options(folder)
    lower_case = options.get("do_lower_case", False)
    if not isinstance(lower_case, bool):
        raise wrong_file(folder, file, f"has do_lower_case {lower_case!r}, which is neither true nor false")
    side = read_json_object(folder, "tokenizer_config.json").get("truncation_side", "right")
    if side not in ("left", "right"):
        raise wrong_file(folder, "tokenizer_config.json", f"has truncation_side {side!r}, which is no side")
    return TextOptions(lower_case, side)


def leaves_prompt_out(folder: ModelFolder) -> bool:
    """Return whether the pooling leaves the tokens of the prompt out, as Instructor models do.

    Raises:
        InvalidModel: a file cannot be used.
    """
    files = [str(stage.path / "config.json") for stage in stages(folder) if stage.kind == "Pooling"]
    return any(read_json_object(folder, file).get("include_prompt") is False for file in files)


def require_supported(folder: ModelFolder) -> None:
    """Refuse a model whose files ask for something that would be left undone, and give other vectors without a word.

    Raises:
        InvalidModel: names the option and its file.
    """
    for stage in stages(folder):
        if stage.kind not in _STAGES:
            raise InvalidModel(folder.name, f"its stage {stage.kind!r} is not supported")
    file, options = transformer_options(folder)
    if options.get("transformer_task", "feature-extraction") != "feature-extraction":
        raise wrong_file(folder, file, f"has the task {options['transformer_task']!r}, which makes no embeddings")
    for name in _REFUSED:
        if options.get(name):
            raise wrong_file(folder, file, f"has the option {name}, which is not supported")
    arguments = options.get("processor_kwargs") or options.get("tokenizer_args") or {}
    if not isinstance(arguments, dict) or arguments.keys() - _HARMLESS:
        raise wrong_file(folder, file, "has arguments of the tokenizer that are not supported")


def transformer_options(folder: ModelFolder) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the content of the transformer's own file; where there is none, what its name would be.

    Raises:
        InvalidModel: a file cannot be used.
    """
    path = stages(folder)[0].path
    for name in _TRANSFORMER_FILES:
        if options := read_json_object(folder, str(path / name)):
            return str(path / name), options
    return str(path / _TRANSFORMER_FILES[0]), {}
