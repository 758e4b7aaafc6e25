"""Which prompts a model gets, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..translation import marked
from .model_files import ModelFolder, read_json_object, wrong_file
from .prompt_families import PromptFamily, family_of

_FILE = "config_sentence_transformers.json"
# The names of a document's prompt, in the order that sentence-transformers documents for `encode_document`. Its release
# 6.2 takes a default of its own, no prompt, before the last two of them.
_DOCUMENT_NAMES = ("document", "passage", "corpus")


class PromptSource(StrEnum):
    """Where prompts come from."""

    SETTINGS = marked("the settings")
    FILES = marked("the model's files")
    FAMILY = marked("the model's family")
    NONE = marked("nowhere")


@dataclass(frozen=True)
class Prompts:
    """The texts before each document and each question. `family` is set where the model's family is known."""

    document: str
    query: str
    source: PromptSource
    family: PromptFamily | None


def find_prompts(folder: ModelFolder, document_prompt: str | None = None, query_prompt: str | None = None) -> Prompts:
    """Find the prompts: those given, else those of the model's files, else those of its family.

    An empty prompt that is given is meant. Files with empty prompts only count as files without prompts, because
    sentence-transformers writes empty ones by itself.

    Raises:
        InvalidModel: the file with the prompts is broken.
    """
    own = _own_prompts(folder)
    document, query = next((own[name] for name in _DOCUMENT_NAMES if name in own), ""), own.get("query", "")
    family = family_of([folder.name, str(read_json_object(folder, "config.json").get("_name_or_path", ""))])
    source = PromptSource.FILES if document or query else PromptSource.NONE
    if source is PromptSource.NONE and family and family.needs_prompts:
        document, query, source = family.document_prompt, family.query_prompt, PromptSource.FAMILY
    if document_prompt is not None or query_prompt is not None:
        source = PromptSource.SETTINGS
    return Prompts(
        document if document_prompt is None else document_prompt,
        query if query_prompt is None else query_prompt,
        source,
        family,
    )


def _own_prompts(folder: ModelFolder) -> Mapping[str, str]:
    prompts = read_json_object(folder, _FILE).get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(prompt, str | None) for prompt in prompts.values()):
        raise wrong_file(folder, _FILE, "has prompts that are not an object of texts")
    return {name: prompt or "" for name, prompt in prompts.items()}
