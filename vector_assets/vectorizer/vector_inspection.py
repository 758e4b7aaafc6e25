"""What an embedder answers is inspected before anybody sees it: a bad row fails with its chunk, the others go on."""

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
from .run_counts import Candidate

Vector = NDArray[np.float32]
Done = list[tuple[Candidate, Vector]]
Failed = list[tuple[Candidate, Exception]]


class Inspector:
    """Inspects the vectors of one embedder."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._lock = threading.Lock()
        self.seconds = 0.0
        """What it has taken so far of the CPU, over all threads."""

    def good(self, candidates: Sequence[Candidate], vectors: Vectors) -> list[Vector]:
        """The rows as float32, if each may be stored as far as it alone can tell.

        Copies, for the embedder may use its array for the next answer before this one is stored.

        Raises:
            BadVectors: the first bad row, with its text's hash and length; or there is not a row for each candidate.
        """
        with self._timed():
            bad = bad_alone(vectors, len(candidates), self._embedder.space.dimension)
            if bad:
                raise self._error(candidates[bad[0].index], bad[0])
        return list(vectors.astype(np.float32))

    def without_collapsed(self, done: Done) -> tuple[Done, Failed]:
        """Set aside, each with its error, the rows that have the vector of another text."""
        if len(done) < 2:
            return done, []
        with self._timed():
            vectors = np.stack([vector for _, vector in done])
            bad = {row.index: row for row in collapsed(vectors, [seen_as(candidate.tokens) for candidate, _ in done])}
        failed: Failed = [(done[index][0], self._error(done[index][0], row)) for index, row in bad.items()]
        return [item for index, item in enumerate(done) if index not in bad], failed

    def check(self, tokens: Sequence[TokenizedText], vectors: Vectors) -> None:
        """See that texts which are surely good, and differ, have good vectors that differ.

        Raises:
            BadVectors: they have not.
        """
        for bad in inspect_rows(vectors, [seen_as(text) for text in tokens], self._embedder.space.dimension):
            raise BadVectors(f"a vector that is {bad.fault} ({bad.message})", bad.fault)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """By the thread's own clock: while it waits for a core, the others embed."""
        before = time.thread_time()
        try:
            yield
        finally:
            with self._lock:
                self.seconds += time.thread_time() - before

    def _error(self, candidate: Candidate, bad: BadRow) -> BadVectors:
        text = f"sha256 {candidate.chunk.content_hash.hex()[:12]}, {candidate.tokens.tokens_embedded} tokens"
        return BadVectors(f"a vector that is {bad.fault} ({bad.message}; {text}; {self._embedder.device})", bad.fault)
