"""Models of other shapes are converted; one that cannot be, or that would give other vectors, is served by torch."""

from dataclasses import replace
from pathlib import Path

import pytest

from vector_assets.embedding.openvino import conversion
from vector_assets.embedding.openvino.conversion import conversion_name
from vector_assets.embedding.openvino.converted_models import ModelCache
from vector_assets.embedding.openvino.library import import_openvino
from vector_assets.errors import ConversionFailed

from ..embedders import openvino_embedder, torch_embedder
from ..tiny_models import WORDS, make_tiny_model


@pytest.mark.parametrize(
    ("shape", "pooling"),
    [("bert", "mean"), ("bert", "cls"), ("bert", "lasttoken"), ("xlm-roberta", "cls"), ("mpnet", "lasttoken")],
)
def test_other_shapes_and_poolings_convert(shape: str, pooling: str, tmp_path: Path) -> None:
    """Texts of every length are padded beside one another."""
    model = str(make_tiny_model(tmp_path, shape, pooling))
    embedder = openvino_embedder(model, tmp_path / "models", "f32")
    texts = embedder.tokenize([" ".join(WORDS[:count]) for count in range(len(WORDS))] + ["the board " * 100])

    vectors = embedder.embed(texts)

    assert embedder.device.startswith("OpenVINO")
    assert (vectors * torch_embedder(model).embed(texts)).sum(axis=1).min() > 0.9999


def test_a_plain_transformer_is_mean_pooled(tiny_model: Path, tmp_path: Path) -> None:
    """A folder whose files do not name a pooling, as sentence-transformers reads it."""
    model = str(tiny_model.parent / "raw")
    embedder = openvino_embedder(model, tmp_path / "models", "f32")
    texts = embedder.tokenize(["the board approved", "net sales"])

    vectors = embedder.embed(texts)

    assert embedder.space.pooling == "mean"
    assert embedder.device.startswith("OpenVINO")
    assert (vectors * torch_embedder(model).embed(texts)).sum(axis=1).min() > 0.9999


def test_other_prompts_need_no_other_conversion(tiny_model: Path, tmp_path: Path) -> None:
    """They are put before the text; another revision of the model does need one."""
    plain, prompted = (
        openvino_embedder(str(tiny_model), tmp_path, **prompts) for prompts in ({}, {"document_prompt": "passage: "})
    )

    assert conversion_name(prompted.space) == conversion_name(plain.space)
    assert conversion_name(replace(plain.space, revision="next")) != conversion_name(plain.space)


def test_a_conversion_that_differs_is_refused_and_torch_serves(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says why, and the next process does not try again."""
    monkeypatch.setattr(conversion, "MIN_COSINE", 1.1)
    embedder = openvino_embedder(str(tiny_model), tmp_path / "models")

    embedder.load()

    assert embedder.device.startswith("torch on cpu")
    assert "torch serves it" in caplog.text
    assert embedder.embed(embedder.tokenize(["the board"])).shape == (1, 32)
    monkeypatch.undo()
    with pytest.raises(ConversionFailed, match="cosine"):
        ModelCache(tmp_path / "models", "tiny").find(conversion_name(embedder.space))


def test_a_model_that_openvino_cannot_run_is_served_by_torch(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the conversion raises."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(import_openvino(), "convert_model", refuse)
    embedder = openvino_embedder(str(tiny_model), tmp_path / "models")

    embedder.load()

    assert embedder.device.startswith("torch on cpu")
    assert "no such operator" in caplog.text
