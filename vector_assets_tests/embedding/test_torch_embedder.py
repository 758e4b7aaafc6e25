"""The embedder against sentence-transformers itself, on the bundled model."""

import numpy as np
import pytest

from vector_assets.embedding.torch_embedder import SentenceTransformerEmbedder
from vector_assets.errors import InvalidSetting

from .embedders import torch_embedder

TEXTS = [
    "Net sales rose 4 % to $82,959 million.",
    "董事会审议通过了年度报告。",
    "a",
    "word " * 600,
    "  spaces \t and\nlines ",
]


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformerEmbedder:
    """Loaded once."""
    return torch_embedder()


def test_vectors_are_those_of_the_reference(embedder: SentenceTransformerEmbedder) -> None:
    """In the order given, float32, of length 1, whatever the lengths in the batch."""
    vectors = embedder.embed(embedder.tokenize(TEXTS))

    reference = np.stack([embedder.model.encode(text, normalize_embeddings=True) for text in TEXTS])
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (vectors * reference).sum(axis=1).min() > 0.99999


def test_tokens_are_counted_as_the_model_sees_them(embedder: SentenceTransformerEmbedder) -> None:
    """Promise 12: truncated and unknown tokens are counted; English is known, Chinese mostly not."""
    english, chinese, letter, long, _ = embedder.tokenize(TEXTS)

    assert (letter.token_count, letter.tokens_embedded) == (3, 3)
    assert (long.token_count, long.tokens_embedded) == (602, 256)
    assert english.unknown_tokens == 0
    assert chinese.unknown_tokens / chinese.tokens_embedded > 0.3
    seen = embedder.model.tokenizer(TEXTS, truncation=True, max_length=256)["input_ids"]
    assert [len(ids) for ids in seen] == [item.tokens_embedded for item in embedder.tokenize(TEXTS)]


def test_prompts_are_put_before_documents_and_questions(embedder: SentenceTransformerEmbedder) -> None:
    """Each its own, counted with the text."""
    prompted = torch_embedder(document_prompt="passage: ", query_prompt="query: ")

    document = prompted.embed(prompted.tokenize(["net sales"]))[0]
    question = prompted.embed_query("net sales")

    assert np.dot(document, embedder.embed(embedder.tokenize(["passage: net sales"]))[0]) > 0.99999
    assert np.dot(question, embedder.embed_query("query: net sales")) > 0.99999
    assert prompted.tokenize(["net sales"])[0].token_count == embedder.tokenize(["passage: net sales"])[0].token_count
    assert prompted.counter.room_for_text == embedder.counter.room_for_text - 2


def test_a_device_that_is_not_there_is_refused() -> None:
    """Promise 11: this machine may have any of them, but not all."""
    import torch

    absent = "mps" if not torch.backends.mps.is_available() else "cuda"

    with pytest.raises(InvalidSetting, match="EMBEDDING_DEVICE"):
        torch_embedder(device=absent).load()
