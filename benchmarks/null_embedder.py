"""An embedder that costs nothing, to measure what is around it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import EmbeddingSpace, Vectors

_DIMENSION = 384


class NullEmbedder:
    """Vectors of the right shape, prepared beforehand."""

    space = EmbeddingSpace("null", "1", "mean", "", "", _DIMENSION, 256, "null")
    concurrency = 1
    device = "nothing"
    tokens_used = None

    def __init__(self) -> None:
        vectors = np.random.default_rng(0).normal(size=(4096, _DIMENSION)).astype(np.float32)
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def load(self) -> None:
        """Nothing to load."""

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Say that each text has some tokens."""
        return [TokenizedText(text, 100, 100, 0) for text in texts]

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        """The first so many of the prepared vectors."""
        vectors: Vectors = self._vectors[: len(texts)]
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The first of the prepared vectors."""
        vector: NDArray[np.float32] = self._vectors[0]
        return vector
