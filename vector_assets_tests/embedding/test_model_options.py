"""Options in a model's files: heeded as sentence-transformers heeds them, or refused."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from vector_assets.embedding.model_description import describe_space
from vector_assets.embedding.model_files import ModelFolder
from vector_assets.embedding.token_counter import TokenCounter
from vector_assets.embedding.torch_embedder import SentenceTransformerEmbedder
from vector_assets.errors import InvalidModel

from .shared_models import SharedModels

TEXTS = ["NET SALES Rose", "the board approved 董事会 年度 报告", "cash flow " * 60]
PROMPTS = {"prompts": {"query": "risk factors ", "document": "annual report "}}
POOLINGS = ("cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ["cls", "mean"])

OPTIONS: dict[str, Mapping[str, Mapping[str, object]]] = {
    **{f"pooling {mode}": {"1_Pooling/config.json": {"pooling_mode": mode}} for mode in POOLINGS},
    "prompts": {"config_sentence_transformers.json": PROMPTS},
    "default prompt": {"config_sentence_transformers.json": {**PROMPTS, "default_prompt_name": "query"}},
    "lower case": {"sentence_bert_config.json": {"do_lower_case": True}},
    "without the prompt": {
        "config_sentence_transformers.json": PROMPTS,
        "1_Pooling/config.json": {"include_prompt": False},
    },
    "truncated on the left": {"tokenizer_config.json": {"truncation_side": "left"}},
    "a limit of its own": {"sentence_bert_config.json": {"max_seq_length": 16}},
}
UNSUPPORTED: dict[str, Mapping[str, Mapping[str, object]]] = {
    "query_length": {"sentence_bert_config.json": {"query_length": 32}},
    "fill-mask": {"sentence_bert_config.json": {"transformer_task": "fill-mask"}},
    "tokenizer": {"sentence_bert_config.json": {"tokenizer_args": {"add_prefix_space": True}}},
    "do_lower_case": {"sentence_bert_config.json": {"do_lower_case": "yes"}},
}


@pytest.fixture
def copy(tmp_path: Path) -> ModelFolder:
    """The tiny model's files in a folder of the test's own."""
    path = tmp_path / "model"
    shutil.copytree(SharedModels().tiny, path)
    return ModelFolder("model", "local", path, str(path))


def change(folder: ModelFolder, files: Mapping[str, Mapping[str, object]]) -> None:
    """Set keys of the model's JSON files."""
    for name, values in files.items():
        file = folder.path / name
        before = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(before | values))


@pytest.mark.parametrize("files", OPTIONS.values(), ids=OPTIONS.keys())
def test_an_option_means_what_it_means_to_sentence_transformers(
    files: Mapping[str, Mapping[str, object]], copy: ModelFolder
) -> None:
    """Documents and questions have the vectors of `encode_document` and `encode_query`."""
    from sentence_transformers import SentenceTransformer

    change(copy, files)
    reference = SentenceTransformer(str(copy.path), device="cpu", local_files_only=True)
    space = describe_space(copy)
    embedder = SentenceTransformerEmbedder(copy, space, TokenCounter(copy, space), "cpu")

    documents = embedder.embed(embedder.tokenize(TEXTS))
    questions = np.stack([embedder.embed_query(text) for text in TEXTS])

    for ours, theirs in ((documents, reference.encode_document(TEXTS)), (questions, reference.encode_query(TEXTS))):
        lengths = np.linalg.norm(theirs, axis=1)
        assert ((ours * theirs).sum(axis=1) / lengths).min() > 0.9999


@pytest.mark.parametrize(("named", "files"), UNSUPPORTED.items(), ids=UNSUPPORTED.keys())
def test_an_option_that_is_not_supported_is_refused(
    named: str, files: Mapping[str, Mapping[str, object]], copy: ModelFolder
) -> None:
    """The vectors would silently be others."""
    change(copy, files)

    with pytest.raises(InvalidModel, match=named):
        TokenCounter(copy, describe_space(copy))


def test_a_stage_that_is_not_supported_is_refused(copy: ModelFolder) -> None:
    """A router sends documents and questions to models of their own."""
    file = copy.path / "modules.json"
    stages = json.loads(file.read_text())
    file.write_text(json.dumps([*stages, {"path": "2_Router", "type": "sentence_transformers.models.Router"}]))

    with pytest.raises(InvalidModel, match="Router"):
        describe_space(copy)
