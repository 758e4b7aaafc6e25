"""The second stage: a cross-encoder by name, on a random model of a few thousand weights."""

from pathlib import Path

import numpy as np
import pytest

from vector_assets.embedding.cross_encoder import CrossEncoderReranker
from vector_assets.errors import InvalidSetting


def make_cross_encoder(tiny_model: Path, path: Path, labels: int) -> Path:
    """The tiny model with a head that scores pairs."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    config = BertConfig.from_pretrained(tiny_model, num_labels=labels)
    BertForSequenceClassification(config).save_pretrained(path)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(path)
    return path


def test_pairs_are_scored_as_the_library_scores_them(tiny_model: Path, tmp_path: Path) -> None:
    """In order, whatever their lengths."""
    from sentence_transformers import CrossEncoder

    path = make_cross_encoder(tiny_model, tmp_path / "model", labels=1)
    texts = ["net sales rose", "the board", "net sales " * 20]

    scores = CrossEncoderReranker(str(path), tmp_path, "cpu").scores("net sales", texts)

    assert scores == pytest.approx([CrossEncoder(str(path)).predict(("net sales", text)) for text in texts], abs=1e-5)
    assert scores.dtype == np.float32


def test_what_is_no_cross_encoder_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    """Promise 11: one line that names the setting."""
    of_three = make_cross_encoder(tiny_model, tmp_path / "of three", labels=3)

    for name, problem in ((str(of_three), "3 scores"), ("no/such model", "cannot be loaded")):
        with pytest.raises(InvalidSetting, match=f"VECTOR_ASSETS_RERANKER.*{problem}") as caught:
            CrossEncoderReranker(name, tmp_path, "cpu").scores("net sales", ["net sales"])
        assert "\n" not in str(caught.value)
