"""The vectors of an embedder are inspected before they are used. A bad vector fails with its chunk, no other does."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ..domain.chunks import TokenizedText
from ..domain.spaces import Vectors
from ..errors import BadVectors
from ..ports import Embedder
from ..quality.vectors import BadRow, bad_alone, collapsed, inspect_rows, seen_as
from .windows import TokenizedChunk

Vector = NDArray[np.float32]
ChunkVectors = list[tuple[TokenizedChunk, Vector]]
ChunkErrors = list[tuple[TokenizedChunk, Exception]]


class VectorInspector:
    """Inspects the vectors of one embedder. Several threads may use it at the same time."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._lock = threading.Lock()
        self.seconds = 0.0
        """CPU seconds that inspecting has taken so far. Each thread adds its own, under the lock."""

    def inspect(self, chunks: Sequence[TokenizedChunk], vectors: Vectors) -> list[Vector]:
        """Return the rows as float32 copies, if each of them, looked at alone, may be stored.

        They are copies because the embedder may reuse its array for the next answer before these rows are stored.

        Raises:
            BadVectors: the first bad row, with the hash and length of its text; or the number of rows is wrong.
        """
        with self._timed():
            bad_rows = bad_alone(vectors, len(chunks), self._embedder.space.dimension)
            if bad_rows:
                raise self._error(chunks[bad_rows[0].index], bad_rows[0])
        return list(vectors.astype(np.float32))

    def separate_collapsed(self, embedded: ChunkVectors) -> tuple[ChunkVectors, ChunkErrors]:
        """Separate the chunks whose vector is also the vector of another text, each with its error."""
        if len(embedded) < 2:
            return embedded, []
        with self._timed():
            vectors = np.array([vector for _, vector in embedded])
            bad_rows = {row.index: row for row in collapsed(vectors, lambda row: seen_as(embedded[row][0].tokens))}
        errors: ChunkErrors = [
            (embedded[index][0], self._error(embedded[index][0], row)) for index, row in bad_rows.items()
        ]
        return [pair for index, pair in enumerate(embedded) if index not in bad_rows], errors

    def inspect_probe(self, tokens: Sequence[TokenizedText], vectors: Vectors) -> None:
        """Check the vectors of texts that differ and that any model can embed.

        Raises:
            BadVectors: one of the vectors is bad, or two are the same.
        """
        for bad in inspect_rows(vectors, [seen_as(text) for text in tokens], self._embedder.space.dimension):
            raise BadVectors(f"a vector that is {bad.fault} ({bad.message})", bad.fault)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Add the CPU time of this thread. Time in which it waits for a core belongs to the threads that embed."""
        started = time.thread_time()
        try:
            yield
        finally:
            with self._lock:
                self.seconds += time.thread_time() - started

    def _error(self, chunk: TokenizedChunk, bad: BadRow) -> BadVectors:
        text = f"sha256 {chunk.chunk.content_hash.hex()[:12]}, {chunk.tokens.tokens_embedded} tokens"
        return BadVectors(f"a vector that is {bad.fault} ({bad.message}; {text}; {self._embedder.device})", bad.fault)
