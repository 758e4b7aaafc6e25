"""The token budget shrinks when memory runs out, and grows again."""

from typing import Any

import numpy as np
import pytest

from vector_assets.embedding.token_budget import TokenBudget
from vector_assets.embedding.torch_embedder import SentenceTransformerEmbedder

from .embedders import torch_embedder


def limit_memory(embedder: SentenceTransformerEmbedder, tokens: int) -> list[int]:
    """Let the device hold so many tokens, padding included. Returns the tokens of each call that was tried."""
    import torch

    tried: list[int] = []

    def refuse_large_calls(_: object, arguments: tuple[dict[str, Any]]) -> None:
        tried.append(arguments[0]["input_ids"].numel())
        if tried[-1] > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory")

    embedder.model[0].register_forward_pre_hook(refuse_large_calls)
    return tried


def test_it_halves_and_grows_back() -> None:
    """It shrinks at once, grows slowly, and never beyond its first value."""
    budget = TokenBudget(1000)

    budget.halve(1000)
    budget.halve(500)
    assert budget.tokens == 250
    for _ in range(32):
        budget.succeed()
    assert budget.tokens == 313
    for _ in range(3200):
        budget.succeed()
    assert budget.tokens == 1000


def test_calls_that_fail_together_halve_it_once() -> None:
    """Both had tried the same budget."""
    budget = TokenBudget(1000)

    budget.halve(1000)
    budget.halve(1000)

    assert budget.tokens == 500


def test_out_of_memory_makes_smaller_calls_and_the_same_vectors() -> None:
    """A device that holds 300 tokens embeds 40 texts, and does not try large calls again at once."""
    embedder = torch_embedder()
    texts = embedder.tokenize([f"net sales of segment {number} " * (number % 11 + 1) for number in range(40)])
    expected = embedder.embed(texts)
    tried = limit_memory(embedder, 300)

    found = embedder.embed(texts)
    refused = len([tokens for tokens in tried if tokens > 300])
    embedder.embed(texts[:10])

    assert tried[0] > 300
    assert max(tried[-3:]) <= 300
    assert len([tokens for tokens in tried if tokens > 300]) == refused
    assert (expected * found).sum(axis=1).min() > 0.99999
    assert np.argmax(expected @ found.T, axis=1).tolist() == list(range(40))


def test_one_text_that_does_not_fit_is_an_error() -> None:
    """So that the loop can quarantine it."""
    import torch

    embedder = torch_embedder()
    limit_memory(embedder, 0)

    with pytest.raises(torch.OutOfMemoryError):
        embedder.embed(embedder.tokenize(["net sales", "costs"]))
