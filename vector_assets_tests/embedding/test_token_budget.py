"""The token budget learns from running out of memory, and forgets again."""

import numpy as np
import pytest

from vector_assets.embedding.token_budget import TokenBudget

from .test_torch_embedder import make_embedder


def test_it_halves_and_grows_back() -> None:
    """Down at once, up slowly, never beyond where it began."""
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
    """Both had tried the same."""
    budget = TokenBudget(1000)

    budget.halve(1000)
    budget.halve(1000)

    assert budget.tokens == 500


def test_out_of_memory_makes_smaller_calls_and_the_same_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that holds 300 tokens at a time, the padding included, gets through all the same."""
    import torch

    embedder = make_embedder()
    texts = embedder.tokenize([f"net sales of segment {number} " * (number % 11 + 1) for number in range(40)])
    expected = embedder.embed(texts)
    call, sizes = embedder._call, []

    def small_device(ids):
        sizes.append(len(ids) * len(ids[0]))
        if sizes[-1] > 300:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return call(ids)

    monkeypatch.setattr(embedder, "_call", small_device)

    found = embedder.embed(texts)

    assert sizes[0] > 300
    assert embedder._budget.tokens <= 300
    assert (expected * found).sum(axis=1).min() > 0.99999
    assert np.argmax(expected @ found.T, axis=1).tolist() == list(range(40))


def test_one_text_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the loop can quarantine it."""
    import torch

    embedder = make_embedder()
    embedder.load()

    def no_memory(_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(embedder, "_call", no_memory)

    with pytest.raises(torch.OutOfMemoryError):
        embedder.embed(embedder.tokenize(["net sales", "costs"]))
