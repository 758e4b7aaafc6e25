"""Embeddings that were computed once, in files, so that a benchmark that is run again embeds only new texts."""

import hashlib
import re
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vector_assets.ports import Embedder

# What an interrupted run loses at most.
_TEXTS_PER_FILE = 512
_TEXTS_PER_CALL = 32
Vectors = NDArray[np.float32]


class EmbeddingCache:
    """Embeds texts with one embedder; the vectors of a text are found again by its hash.

    The folder may hold several models. Their recipe names the files, so that no vector is another model's.
    """

    def __init__(self, folder: Path, embedder: Embedder) -> None:
        self._embedder = embedder
        self._folder = folder / re.sub(r"\W+", "-", f"{embedder.space.slug}-{embedder.device}")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._known: dict[bytes, Vectors] = {}
        for file in sorted(self._folder.glob("*.npz")):
            with np.load(file) as stored:
                self._known |= zip(map(bytes, stored["hashes"]), stored["vectors"], strict=True)

    def documents(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of texts of documents, row by row."""
        return self._vectors(b"document", texts, self._embed)

    def questions(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of questions, row by row."""
        return self._vectors(
            b"question", texts, lambda new: np.stack([self._embedder.embed_query(text) for text in new])
        )

    def _embed(self, texts: Sequence[str]) -> Vectors:
        tokenized = self._embedder.tokenize(texts)
        calls = [tokenized[first : first + _TEXTS_PER_CALL] for first in range(0, len(tokenized), _TEXTS_PER_CALL)]
        with ThreadPoolExecutor(self._embedder.concurrency) as threads:
            return np.concatenate(list(threads.map(self._embedder.embed, calls)))

    def _vectors(self, kind: bytes, texts: Sequence[str], embed: Callable[[Sequence[str]], Vectors]) -> Vectors:
        hashes = [hashlib.sha256(kind + text.encode()).digest() for text in texts]
        new = {key: text for key, text in zip(hashes, texts, strict=True) if key not in self._known}
        # Texts of about the same length are computed together without padding.
        ordered = sorted(new.items(), key=lambda item: len(item[1]))
        for first in range(0, len(ordered), _TEXTS_PER_FILE):
            keys, batch = zip(*ordered[first : first + _TEXTS_PER_FILE], strict=True)
            self._keep(keys, embed(batch))
            print(f"embedded {first + len(batch):,} of {len(ordered):,} {kind.decode()}s", file=sys.stderr)
        return np.stack([self._known[key] for key in hashes])

    def _keep(self, hashes: Sequence[bytes], vectors: Vectors) -> None:
        rows = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), -1)
        np.savez(self._folder / f"{time.time_ns()}.npz", hashes=rows, vectors=vectors)
        self._known |= zip(hashes, vectors, strict=True)
