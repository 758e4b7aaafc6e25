"""Embedding spaces and their vectors."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (n, dimension), one row a text, in the order of the texts."""


@dataclass(frozen=True)
class EmbeddingSpace:
    """The recipe of vectors: they compare only inside one space. The slug names the space's table.

    The slug is made of everything that tells the space from others. `generation` counts the spaces that one model has
    had: each time its vectors drift, because of other weights or another library, and somebody accepts that, the model
    gets the next generation.
    """

    model: str
    revision: str
    pooling: str
    document_prompt: str
    query_prompt: str
    dimension: int
    max_tokens: int
    weights_digest: str
    generation: int = 0

    @property
    def slug(self) -> str:
        """Name the space in at most 40 characters of [a-z0-9_], e.g. `all_minilm_l6_v2_384_1f0c9ab2`."""
        identity: tuple[object, ...] = (
            self.model,
            self.revision,
            self.pooling,
            self.document_prompt,
            self.query_prompt,
            self.dimension,
        )
        if self.generation:
            identity += (self.generation,)
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:8]
        name = unicodedata.normalize("NFKD", self.model.rsplit("/", 1)[-1]).lower()
        readable = re.sub(r"[^a-z0-9]+", "_", name).strip("_")[:24] or "model"
        return f"{readable}_{self.dimension}_{digest}"


@dataclass(frozen=True)
class StoredReferenceVectors:
    """The stored vectors of the reference texts, float32 (texts, dimension), and what computed them."""

    vectors: Vectors
    device: str
