"""Promise 14: the same text has the same vector, whatever else is in its batch and whichever embedder computes it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vector_assets.domain.spaces import Vectors
from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL
from vector_assets.ports import Embedder

from .embedders import ENGLISH, openvino_embedder, torch_embedder

LEAST_COSINE = 0.9999

_ENGLISH = "Net sales rose 4 % to $82,959 million, driven by services; the company repurchased shares in 2024. "
_CHINESE = "报告期内，公司实现营业收入人民币128,400,000元，同比增长7.3%；董事会审议通过了利润分配预案。"
# Short, long and truncated, in both languages.
TEXTS = [
    "a",
    "",
    "净利润",
    "Item 1A. Risk Factors",
    _ENGLISH,
    _CHINESE,
    _ENGLISH * 4,
    _CHINESE * 3,
    _ENGLISH * 40,
    _CHINESE * 20,
]

Make = Callable[[Path], Embedder]


EMBEDDERS: dict[str, Make] = {
    "OpenVINO, auto": lambda models: openvino_embedder(MULTILINGUAL_MODEL, models, query_prompt="passage: "),
    "OpenVINO, f32": lambda models: openvino_embedder(ENGLISH, models, "f32"),
    "torch": lambda _: torch_embedder(),
}


@pytest.fixture(scope="module", params=EMBEDDERS.values(), ids=EMBEDDERS.keys())
def make(request: pytest.FixtureRequest, converted_models: Path) -> Callable[[], Embedder]:
    """Makes embedders of one kind, each an object of its own."""
    return lambda: request.param(converted_models)


@pytest.fixture(scope="module")
def embedder(make: Callable[[], Embedder]) -> Embedder:
    """The first of its kind."""
    return make()


@pytest.fixture(scope="module")
def alone(embedder: Embedder) -> Vectors:
    """The vector of each text, embedded in a batch of its own."""
    return np.concatenate([embedder.embed([text]) for text in embedder.tokenize(TEXTS)])


def least_cosine(vectors: Vectors, expected: Vectors) -> float:
    """The lowest cosine of two rows of the same number."""
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
    return float(((vectors * expected).sum(axis=1) / lengths).min())


@pytest.mark.parametrize("size", [3, len(TEXTS)])
def test_a_vector_does_not_depend_on_its_batch(size: int, embedder: Embedder, alone: Vectors) -> None:
    """Texts of other lengths and languages are beside it, in another order."""
    texts = embedder.tokenize(TEXTS)
    order = np.random.default_rng(size).permutation(len(texts))
    batches = [order[start : start + size] for start in range(0, len(order), size)]

    vectors = np.concatenate([embedder.embed([texts[row] for row in batch]) for batch in batches])

    assert least_cosine(vectors, alone[order]) >= LEAST_COSINE


def test_a_vector_does_not_depend_on_the_embedder_object(make: Callable[[], Embedder], alone: Vectors) -> None:
    """Another worker makes an object of its own, with the same settings."""
    another = make()

    vectors = another.embed(another.tokenize(TEXTS[::-1]))

    assert least_cosine(vectors[::-1], alone) >= LEAST_COSINE


def test_a_question_has_the_vector_of_the_same_document(embedder: Embedder, alone: Vectors) -> None:
    """The English model has no prompts, and the other one is given the document's for both."""
    vectors = np.stack([embedder.embed_query(text) for text in TEXTS[:4]])

    assert least_cosine(vectors, alone[:4]) >= LEAST_COSINE


def test_cpus_with_and_without_16_bits_make_the_same_vectors(converted_models: Path) -> None:
    """A CPU that has no bfloat16 computes in float32."""
    with_16_bits, without = (openvino_embedder(ENGLISH, converted_models, precision) for precision in ("auto", "f32"))
    texts = with_16_bits.tokenize(TEXTS)

    assert least_cosine(with_16_bits.embed(texts), without.embed(texts)) >= LEAST_COSINE


def test_16_bits_on_a_gpu_make_the_same_vectors() -> None:
    """The arithmetic of GPUs, computed on the CPU: alone, in a batch, and in float32."""
    embedder = torch_embedder()
    texts = embedder.tokenize(TEXTS[:7])
    expected = embedder.embed(texts)

    embedder.model[0].half()
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])

    assert "float16" in embedder.device
    assert least_cosine(together, expected) >= LEAST_COSINE
    assert least_cosine(together, alone) >= LEAST_COSINE
