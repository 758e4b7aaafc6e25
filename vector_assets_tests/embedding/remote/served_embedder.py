"""The embedder of a server that gives texts the vectors of `HashEmbedder`, and fails on the same ones."""

import json
from collections.abc import Sequence

import numpy as np

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import EmbeddingSpace, Vectors
from vector_assets.quality.drift import REFERENCE_TEXTS

from ...fakes import DIMENSION, HashEmbedder, vector_of
from .provider_server import Exchange, document_of
from .test_remote_embedder import SPACE, embedder_of

# What the names of bad texts say; SHORT has no vector, and POISON is refused.
FACTORS = {"NAN": np.nan, "ZERO": 0.0}
_BUSY_EACH = 7


def spoiling(exchange: Exchange) -> None:
    """Answer as the texts and the dimension in the request want it; be busy now and then."""
    texts, dimension = exchange.body["input"], exchange.body.get("dimensions", DIMENSION)
    if any("POISON" in text for text in texts):
        exchange.send_error_document(400)
    elif len(exchange.provider.asked) % _BUSY_EACH == 0:
        exchange.send_error_document(429 if len(exchange.provider.asked) % 2 else 503, Retry_After="0")
    else:
        exchange.provider.answered.append(exchange.body)
        vectors = [vector_of(text, dimension) * FACTORS.get(text, 1.0) for text in texts]
        document = document_of(np.stack(vectors).astype(np.float32), True)
        document["data"] = [item for item, text in zip(document["data"], texts, strict=True) if text != "SHORT"]
        exchange.send(json.dumps(document).encode())


class ServedEmbedder(HashEmbedder):
    """`RemoteEmbedder`, one call at a time, with the hooks of `HashEmbedder` around it."""

    def __init__(self, url: str, space: EmbeddingSpace = SPACE) -> None:
        super().__init__(space)
        self._remote = embedder_of(url, space, dimensions=space.dimension)

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        if all(item.text in REFERENCE_TEXTS for item in texts):
            return self._remote.embed(texts)
        self.before([item.text for item in texts])
        vectors = self._remote.embed(texts)
        self.embedded.extend(item.text for item in texts)
        return vectors
