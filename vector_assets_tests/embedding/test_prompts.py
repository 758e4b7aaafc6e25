"""The prompts of a model: those of the settings, of its files, or of its family."""

import json
from pathlib import Path

import pytest

from vector_assets.embedding.model_files import ModelFolder
from vector_assets.embedding.prompts import PromptSource, find_prompts

FILE = "config_sentence_transformers.json"


def folder(path: Path, name: str, prompts: object = None) -> ModelFolder:
    """A model of that name, whose files have these prompts."""
    if prompts is not None:
        (path / FILE).write_text(json.dumps({"prompts": prompts}))
    return ModelFolder(name, "1", path, name)


@pytest.mark.parametrize(
    ("name", "document", "query"),
    [
        ("intfloat/e5-base-v2", "passage: ", "query: "),
        ("intfloat/multilingual-e5-small", "passage: ", "query: "),
        ("intfloat/multilingual-e5-large-instruct", "", "Instruct: "),
        ("BAAI/bge-large-zh-v1.5", "", "为这个句子"),
        ("BAAI/bge-small-en-v1.5", "", "Represent this sentence"),
        ("Qwen/Qwen3-Embedding-0.6B", "", "Instruct: "),
        ("Alibaba-NLP/gte-Qwen2-1.5B-instruct", "", "Instruct: "),
        ("nomic-ai/nomic-embed-text-v1.5", "search_document: ", "search_query: "),
        ("Snowflake/snowflake-arctic-embed-m-v1.5", "", "Represent this sentence"),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", "", "query: "),
        ("jinaai/jina-embeddings-v3", "Represent the document", "Represent the query"),
    ],
)
def test_a_well_known_model_whose_files_lack_prompts_gets_its_familys(
    name: str, document: str, query: str, tmp_path: Path
) -> None:
    """Empty ones are written by sentence-transformers itself, and mean nothing."""
    prompts = find_prompts(folder(tmp_path, name, {"query": "", "document": ""}))

    assert (prompts.document, prompts.source) == (prompts.document, PromptSource.FAMILY)
    assert prompts.document.startswith(document)
    assert bool(prompts.document) == bool(document)
    assert prompts.query.startswith(query)


@pytest.mark.parametrize("name", ["BAAI/bge-m3", "thenlper/gte-large", "jinaai/jina-embeddings-v2-base-zh"])
def test_a_family_that_needs_no_prompts_is_known(name: str, tmp_path: Path) -> None:
    """So that nobody looks for them."""
    prompts = find_prompts(folder(tmp_path, name))

    assert (prompts.document, prompts.query, prompts.source) == ("", "", PromptSource.NONE)
    assert prompts.family is not None


def test_the_files_of_a_model_come_before_its_family(tmp_path: Path) -> None:
    """Somebody may have trained it further with other ones."""
    prompts = find_prompts(folder(tmp_path, "intfloat/e5-base", {"query": "Q: ", "passage": "P: "}))

    assert (prompts.document, prompts.query, prompts.source) == ("P: ", "Q: ", PromptSource.FILES)


def test_an_empty_prompt_of_the_settings_is_meant(tmp_path: Path) -> None:
    """The other prompt remains the family's."""
    prompts = find_prompts(folder(tmp_path, "intfloat/e5-base"), document_prompt="")

    assert (prompts.document, prompts.query, prompts.source) == ("", "query: ", PromptSource.SETTINGS)


def test_a_copy_under_another_name_is_recognized(tmp_path: Path) -> None:
    """Its config.json remembers the name under which it was published."""
    (tmp_path / "config.json").write_text(json.dumps({"_name_or_path": "intfloat/multilingual-e5-large"}))

    assert find_prompts(folder(tmp_path, "our-model")).query == "query: "


def test_an_unknown_model_without_prompts_has_none(tmp_path: Path) -> None:
    """Nothing is guessed."""
    prompts = find_prompts(folder(tmp_path, "our-model"))

    assert (prompts.document, prompts.query, prompts.family) == ("", "", None)
