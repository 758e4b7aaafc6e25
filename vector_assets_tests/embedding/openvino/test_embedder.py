"""The OpenVINO embedder against sentence-transformers, on the bundled model."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vector_assets.embedding.openvino.compiled_model import CompiledModel
from vector_assets.embedding.openvino.conversion import PARITY_TEXTS
from vector_assets.embedding.openvino.embedder import OpenVINOEmbedder
from vector_assets.embedding.torch_embedder import SentenceTransformerEmbedder
from vector_assets.services import Services
from vector_assets.settings import load_settings

from ..embedders import ENGLISH, openvino_embedder, torch_embedder

# Texts without any sense are among them: coarse arithmetic shows there first.
TEXTS = [*PARITY_TEXTS, "", "   ", "word " * 600, "\u200b\u00a0 \U0001f642"]


@pytest.fixture(scope="module")
def embedder(converted_models: Path) -> OpenVINOEmbedder:
    """The bundled model in the precision that OpenVINO chooses."""
    return openvino_embedder(ENGLISH, converted_models)


@pytest.fixture(scope="module")
def exact(converted_models: Path) -> OpenVINOEmbedder:
    """The bundled model in float32."""
    return openvino_embedder(ENGLISH, converted_models, "f32")


@pytest.fixture(scope="module")
def reference() -> SentenceTransformerEmbedder:
    """The bundled model by torch."""
    return torch_embedder()


def test_vectors_are_those_of_the_reference(embedder: OpenVINOEmbedder, reference: SentenceTransformerEmbedder) -> None:
    """In order, float32, of length 1, in 16 bits as well."""
    texts = embedder.tokenize(TEXTS)

    vectors = embedder.embed(texts)

    assert embedder.device.startswith("OpenVINO")
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-2)
    assert (vectors * reference.embed(texts)).sum(axis=1).min() > 0.9995


def test_a_command_may_load_its_model_beside_other_work(
    home_with_models: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: it is the model that the question asks then."""
    services = Services(load_settings(home=home_with_models, embedding_model=str(tiny_model)))
    loaded_by: list[str] = []
    load = CompiledModel.__init__

    def noting(self: CompiledModel, *arguments: Any) -> None:
        loaded_by.append(threading.current_thread().name)
        load(self, *arguments)

    monkeypatch.setattr(CompiledModel, "__init__", noting)

    services.begin_loading()
    vector = services.embedder.embed_query("net sales")

    assert loaded_by == ["load model"]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-2)


def test_f32_on_request_is_nearer(exact: OpenVINOEmbedder, reference: SentenceTransformerEmbedder) -> None:
    """The same converted model, other arithmetic."""
    texts = exact.tokenize(TEXTS)

    vectors = exact.embed(texts)

    assert exact.device == "OpenVINO on cpu, f32"
    assert (vectors * reference.embed(texts)).sum(axis=1).min() > 0.999999


def test_a_question_is_embedded_with_its_prompt(converted_models: Path, exact: OpenVINOEmbedder) -> None:
    """And a document with its own."""
    prompted = openvino_embedder(ENGLISH, converted_models, "f32", document_prompt="passage: ", query_prompt="query: ")

    question = prompted.embed_query("net sales")
    document = prompted.embed(prompted.tokenize(["net sales"]))[0]

    assert np.dot(question, exact.embed_query("query: net sales")) > 0.9999
    assert np.dot(document, exact.embed_query("passage: net sales")) > 0.9999


def test_threads_do_not_mix_their_texts(embedder: OpenVINOEmbedder) -> None:
    """Several calls at once, each with lengths of its own."""
    texts = embedder.tokenize([f"net sales of segment {number} " * (number % 9 + 1) for number in range(64)])
    expected = embedder.embed(texts)
    found: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        for at in range(number, 64, 4):
            found[at] = embedder.embed([texts[at]])[0]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 64
    for at, vector in found.items():
        assert np.dot(vector, expected[at]) > 0.9999


def test_a_converted_model_needs_no_torch(converted_models: Path) -> None:
    """Neither transformers nor sentence_transformers, nor the telemetry of OpenVINO."""
    code = """
import sys
from pathlib import Path
from vector_assets_tests.embedding.embedders import ENGLISH, openvino_embedder

embedder = openvino_embedder(ENGLISH, Path(sys.argv[1]))
embedder.embed(embedder.tokenize(["net sales"]))
embedder.embed_query("net sales")
print(sorted({"torch", "transformers", "sentence_transformers", "openvino"} & set(sys.modules)))
print(sys.modules["openvino_telemetry"])
"""
    command = [sys.executable, "-c", code, str(converted_models)]

    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert printed == "['openvino']\nNone\n"
