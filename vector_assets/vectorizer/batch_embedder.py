"""A batch is embedded and its vectors are inspected. A chunk that causes a failure is separated from the batch."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..domain.chunks import TokenizedText
from ..domain.spaces import Vectors
from ..errors import EmbedderBroken, EmbedderBusy, EmbedderRefused, EmbedderUnavailable
from ..ports import AnswerJournal, Embedder
from .embedder_calls import EmbedderCalls
from .halving import attempt_halving
from .vector_inspector import ChunkErrors, ChunkVectors, Vector, VectorInspector
from .windows import Batch, TokenizedChunk

# Texts that no model fails on, or gives the same vector. If one does all the same, the chunks are not at fault.
PROBE_TEXTS = ("The board approved the annual report. 董事会审议通过了年度报告。", "Net sales fell. 营业收入下降。")

# What says nothing of the chunks: it is neither a reason to halve a batch nor a failure of one of its chunks.
NOT_OF_CHUNKS = (EmbedderBusy, EmbedderUnavailable, EmbedderRefused)


@dataclass(frozen=True)
class EmbeddedBatch:
    """A batch after it was embedded: each of its chunks has either a vector or an error.

    `reused` counts the chunks whose text the space had a vector of already.
    """

    batch: Batch
    vectors: ChunkVectors
    errors: ChunkErrors
    seconds: float
    reused: int = 0


StoredVectors = Callable[[Sequence[bytes]], Mapping[bytes, Vector]]


class BatchEmbedder:
    """Embeds the batches of one run. Several threads may use it at the same time.

    `stored` gives the vectors that the space has of texts with these hashes; None: all texts are embedded. The
    `journal` keeps new vectors until they are committed, and has those that a killed run had got.
    """

    def __init__(
        self,
        embedder: Embedder,
        calls: EmbedderCalls,
        stored: StoredVectors | None = None,
        journal: AnswerJournal | None = None,
    ) -> None:
        self._embedder = embedder
        self._calls = calls
        self._stored = stored
        self._journal = journal
        self._inspector = VectorInspector(embedder)

    @property
    def inspect_seconds(self) -> float:
        """CPU seconds that the inspection of vectors has taken so far, over all threads."""
        return self._inspector.seconds

    def embed(self, batch: Batch) -> EmbeddedBatch:
        """Embed a batch. If it fails, halve it until each chunk that causes a failure is alone.

        Raises:
            EmbedderBroken: the embedder fails on any text.
            EmbedderUnavailable: the embedder was busy for as long as a run waits.
            EmbedderRefused: a server refuses everything.
        """
        started = time.perf_counter()
        known = self._known([chunk.chunk.content_hash for chunk in batch.chunks])
        reused = [(chunk, known[chunk.chunk.content_hash]) for chunk in batch.chunks if _is_known(chunk, known)]
        new = [chunk for chunk in batch.chunks if not _is_known(chunk, known)]
        embedded, failed = attempt_halving(new, self._embed_chunks, NOT_OF_CHUNKS) if new else ([], [])
        vectors, collapsed = self._inspector.separate_collapsed(embedded)
        if self._journal is not None:
            self._journal.keep({chunk.chunk.content_hash: vector for chunk, vector in vectors})
        if failed or collapsed:
            self._probe_embedder()
        seconds = time.perf_counter() - started
        return EmbeddedBatch(batch, reused + vectors, failed + collapsed, seconds, len(reused))

    def _known(self, hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        left = self._journal.take(hashes) if self._journal is not None else {}
        return {**left, **(self._stored(hashes) if self._stored is not None else {})}

    def _embed_chunks(self, chunks: Sequence[TokenizedChunk]) -> list[Vector]:
        for chunk in chunks:
            if chunk.error is not None:
                raise chunk.error
        vectors = self._calls.call(lambda: self._embedder.embed([chunk.tokens for chunk in chunks]))
        return self._inspector.inspect(chunks, vectors)

    def _probe_embedder(self) -> None:
        """Embed the probe texts, to find out whether the embedder or the chunks are at fault.

        Raises:
            EmbedderBroken: it fails on these texts as well, so that no chunk may be quarantined.
        """
        try:
            tokens, vectors = self._calls.call(self._embed_probe)
            self._inspector.inspect_probe(tokens, vectors)
        except NOT_OF_CHUNKS:
            raise
        except Exception as error:
            raise EmbedderBroken(self._embedder.space.model, error) from error

    def _embed_probe(self) -> tuple[list[TokenizedText], Vectors]:
        tokens = self._embedder.tokenize(PROBE_TEXTS)
        return tokens, self._embedder.embed(tokens)


def _is_known(chunk: TokenizedChunk, known: Mapping[bytes, Vector]) -> bool:
    return chunk.error is None and chunk.chunk.content_hash in known
