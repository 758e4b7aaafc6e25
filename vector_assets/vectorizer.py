"""The loop: plan, read, embed, inspect, commit, report. It knows no Dagster, no SQL and no torch."""

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .domain import (
    BatchChunk,
    BatchProgress,
    Chunk,
    ChunkFailure,
    ChunkPlan,
    ChunkSelection,
    EmbeddedChunk,
    Outcome,
    PartitionKey,
    TokenizedText,
    VectorizeReport,
    Vectors,
)
from .errors import BadVectors, EmbedderBroken, InvalidSetting
from .ports import ChunkStore, Embedder, VectorStore

ProgressCallback = Callable[[BatchProgress], None]

logger = logging.getLogger(__name__)

# Batches in a window. Lengths within 64 batches of 32 are mixed enough that sorting them leaves little padding, and
# 2,048 chunks with their tokens are a few MB, however large the partition is.
WINDOW_BATCHES = 64

# A text that no model fails on. If it fails all the same, the chunks are not to blame.
PROBE_TEXT = "The board approved the annual report. 董事会审议通过了年度报告。"

_SHOWN_FAILURES = 10

Item = TypeVar("Item")
Result = TypeVar("Result")


def attempt_halving(
    items: Sequence[Item], attempt: Callable[[Sequence[Item]], Sequence[Result]]
) -> tuple[list[tuple[Item, Result]], list[tuple[Item, Exception]]]:
    """Call `attempt` on all items; where it raises, on each half, until the culprits are alone.

    Gives the items with their results and the single items with the error each raised, both in order.
    """
    try:
        return list(zip(items, attempt(items), strict=True)), []
    except Exception as error:  # noqa: BLE001  (a model raises anything)
        if len(items) == 1:
            return [], [(items[0], error)]
    middle = len(items) // 2
    done, failed = attempt_halving(items[:middle], attempt)
    more_done, more_failed = attempt_halving(items[middle:], attempt)
    return done + more_done, failed + more_failed


def inspect_vectors(vectors: Vectors, count: int, dimension: int) -> Vectors:
    """Give the vectors back if each may be stored: right count and dimension, finite and not zero as float16.

    Raises:
        BadVectors: otherwise.
    """
    if vectors.shape != (count, dimension):
        raise BadVectors(f"shape {vectors.shape} instead of {(count, dimension)}")
    with np.errstate(over="ignore", under="ignore"):
        stored = vectors.astype(np.float16)  # what halfvec keeps: beyond 65,504 is infinite, below 3e-8 is zero
    if not np.isfinite(stored).all():
        raise BadVectors("a vector that is not finite")
    if not stored.any(axis=1).all():
        raise BadVectors("a zero vector")
    return vectors


class _Candidate(NamedTuple):
    chunk: Chunk
    tokens: TokenizedText


@dataclass
class _Tally:
    """Counts of a run, and the estimate made of them."""

    run_id: str
    total: int
    load_seconds: float
    started: float = field(default_factory=time.perf_counter)
    batches: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    tokens: int = 0
    tokens_embedded: int = 0
    unknown_tokens: int = 0
    truncated_chunks: int = 0
    callback_errors: int = 0
    embed_seconds: float = 0.0
    failures: list[ChunkFailure] = field(default_factory=list)

    @property
    def processed(self) -> int:
        return sum(self.outcomes.values())

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    def add(self, rows: Sequence[tuple[_Candidate, Outcome]], failures: Sequence[ChunkFailure]) -> None:
        self.batches += 1
        for candidate, outcome in rows:
            self.outcomes[outcome] += 1
            self.tokens += candidate.tokens.token_count
            self.tokens_embedded += candidate.tokens.tokens_embedded
            self.unknown_tokens += candidate.tokens.unknown_tokens
            self.truncated_chunks += candidate.tokens.tokens_embedded < candidate.tokens.token_count
        self.failures.extend(failures[: _SHOWN_FAILURES - len(self.failures)])

    def seconds_left(self, tokens_to_come: float) -> float | None:
        """Tokens to come at the speed of the tokens so far: batches are sorted by length, so chunks would mislead."""
        elapsed = self.elapsed
        return tokens_to_come * elapsed / self.tokens_embedded if self.tokens_embedded and elapsed > 0 else None

    def report(self) -> VectorizeReport:
        return VectorizeReport(
            run_id=self.run_id,
            total=self.total,
            batches=self.batches,
            vectorized_count=self.outcomes[Outcome.VECTORIZED],
            superseded_count=self.outcomes[Outcome.SUPERSEDED],
            failed_count=self.outcomes[Outcome.FAILED],
            tokens=self.tokens,
            tokens_embedded=self.tokens_embedded,
            unknown_tokens=self.unknown_tokens,
            truncated_chunks=self.truncated_chunks,
            callback_errors=self.callback_errors,
            load_seconds=self.load_seconds,
            seconds=self.elapsed,
            embed_seconds=self.embed_seconds,
            failures=tuple(self.failures),
        )


class Vectorizer:
    """Gives chunks their vectors, batch by batch; each batch is one transaction.

    Args:
        chunks: where the chunks are read.
        vectors: where the vectors go.
        embedder: makes them.
        batch_size: chunks in a batch, at least 1.

    Raises:
        InvalidSetting: the batch size is below 1.
    """

    def __init__(self, chunks: ChunkStore, vectors: VectorStore, embedder: Embedder, batch_size: int = 32) -> None:
        if batch_size < 1:
            raise InvalidSetting("batch_size", f"{batch_size} is below 1", "Give a positive number, e.g. 32.")
        self._chunks = chunks
        self._vectors = vectors
        self._embedder = embedder
        self._batch_size = batch_size

    def vectorize_chunks(
        self,
        chunk_ids: Sequence[int],
        force_revectorize: bool = False,
        progress_callback: ProgressCallback | None = None,
        *,
        run_id: str | None = None,
    ) -> VectorizeReport:
        """Embed those of the chunks that are pending, or all of them by force. Unknown ids are passed over.

        The callback is told after each commit; what it raises is logged and never stops the work.

        Raises:
            EmbedderBroken: the embedder fails on any text; batches committed before stay.
            DatabaseError: the database could not go on; batches committed before stay.
        """
        ids = tuple(sorted(set(chunk_ids)))
        selection = ChunkSelection(chunk_ids=ids, include_current=force_revectorize)
        return self._run(selection, None, progress_callback, run_id)

    def vectorize_partition(
        self,
        partition: PartitionKey,
        force_revectorize: bool = False,
        progress_callback: ProgressCallback | None = None,
        *,
        limit: int | None = None,
        run_id: str | None = None,
    ) -> VectorizeReport:
        """The same for a partition's pending chunks, at most `limit` of them (None: all)."""
        selection = ChunkSelection(partition=partition, include_current=force_revectorize)
        return self._run(selection, limit, progress_callback, run_id)

    def _run(
        self,
        selection: ChunkSelection,
        limit: int | None,
        callback: ProgressCallback | None,
        run_id: str | None,
    ) -> VectorizeReport:
        plan = self._chunks.plan(selection)
        total = plan.chunks if limit is None else min(limit, plan.chunks)
        # The clock for speed and estimate starts after the loading, which would make the first estimates absurd.
        load_seconds = self._load() if total else 0.0
        tally = _Tally(run_id or uuid.uuid4().hex, total, load_seconds)
        for window in self._windows(selection, plan, total):
            self._vectorize_window(window, plan, tally, callback)
        return tally.report()

    def _load(self) -> float:
        before = time.perf_counter()
        self._embedder.load()
        return time.perf_counter() - before

    def _windows(self, selection: ChunkSelection, plan: ChunkPlan, total: int) -> Iterator[list[_Candidate]]:
        """Read the selection window by window; what became pending after the plan waits for the next run."""
        left, resume_after = total, 0
        while left > 0:
            size = WINDOW_BATCHES * self._batch_size
            if selection.partition is not None:  # of ids given one by one many may be current: look at a windowful
                size = min(size, left)
            window = self._chunks.read_window(selection, resume_after, plan.last_id, size)
            tokenized = self._embedder.tokenize([chunk.text for chunk in window.chunks])
            candidates = [_Candidate(*pair) for pair in zip(window.chunks, tokenized, strict=True)]
            # Longest first: like lengths share a batch, and a batch too large for the memory shows at once.
            candidates.sort(key=lambda candidate: -candidate.tokens.tokens_embedded)
            if candidates:
                yield candidates
            if window.resume_after is None:
                return
            left -= len(candidates)
            resume_after = window.resume_after

    def _vectorize_window(
        self, window: list[_Candidate], plan: ChunkPlan, tally: _Tally, callback: ProgressCallback | None
    ) -> None:
        tokens_left = sum(candidate.tokens.tokens_embedded for candidate in window)
        tokens_per_chunk = tokens_left / len(window)
        after_window = max(tally.total - tally.processed - len(window), 0)
        # Chunks may have come or gone since the plan; the total follows what was really read.
        tally.total = tally.processed + len(window) + after_window
        for start in range(0, len(window), self._batch_size):
            batch = window[start : start + self._batch_size]
            rows = self._vectorize_batch(batch, tally)
            tokens_left -= sum(candidate.tokens.tokens_embedded for candidate in batch)
            if callback is not None:
                to_come = tokens_left + after_window * tokens_per_chunk
                self._tell(callback, self._progress(rows, tally, to_come), tally)

    def _vectorize_batch(self, batch: list[_Candidate], tally: _Tally) -> list[tuple[_Candidate, Outcome]]:
        before = time.perf_counter()
        done, failed = attempt_halving(batch, self._embed)
        if failed:
            self._blame_embedder_or_chunks()
        tally.embed_seconds += time.perf_counter() - before

        embedded = [EmbeddedChunk(candidate.chunk, candidate.tokens, vector) for candidate, vector in done]
        failures = [ChunkFailure(c.chunk, type(error).__name__, str(error)) for c, error in failed]
        stored = self._vectors.commit_batch(embedded, failures, tally.run_id)

        bad = {failure.chunk.id for failure in failures}
        rows = [(candidate, _outcome(candidate.chunk.id, stored, bad)) for candidate in batch]
        tally.add(rows, failures)
        return rows

    def _embed(self, batch: Sequence[_Candidate]) -> list[NDArray[np.float32]]:
        vectors = self._embedder.embed([candidate.tokens for candidate in batch])
        return list(inspect_vectors(vectors, len(batch), self._embedder.space.dimension))

    def _blame_embedder_or_chunks(self) -> None:
        """Embed a text that is surely good.

        Raises:
            EmbedderBroken: that fails as well, so no chunk may be quarantined.
        """
        try:
            probe = self._embedder.embed(self._embedder.tokenize([PROBE_TEXT]))
            inspect_vectors(probe, 1, self._embedder.space.dimension)
        except Exception as error:
            raise EmbedderBroken(self._embedder.space.model, error) from error

    def _progress(self, rows: list[tuple[_Candidate, Outcome]], tally: _Tally, tokens_to_come: float) -> BatchProgress:
        batches_to_come = -(-(tally.total - tally.processed) // self._batch_size)
        return BatchProgress(
            batch_num=tally.batches,
            total_batches=tally.batches + batches_to_come,
            batch_size=len(rows),
            processed=tally.processed,
            total=tally.total,
            vectorized_count=tally.outcomes[Outcome.VECTORIZED],
            superseded_count=tally.outcomes[Outcome.SUPERSEDED],
            failed_count=tally.outcomes[Outcome.FAILED],
            tokens_embedded=tally.tokens_embedded,
            elapsed_seconds=tally.elapsed,
            seconds_left=tally.seconds_left(tokens_to_come),
            batch_chunks=tuple(
                BatchChunk(chunk.id, chunk.document, chunk.chunk_index, tokens.token_count, outcome)
                for (chunk, tokens), outcome in rows
            ),
        )

    def _tell(self, callback: ProgressCallback, progress: BatchProgress, tally: _Tally) -> None:
        try:
            callback(progress)
        except Exception:
            if not tally.callback_errors:
                logger.warning("the progress callback failed; the work goes on", exc_info=True)
            tally.callback_errors += 1


def _outcome(chunk_id: int, stored: set[int], failed: set[int]) -> Outcome:
    if chunk_id in stored:
        return Outcome.VECTORIZED
    return Outcome.FAILED if chunk_id in failed else Outcome.SUPERSEDED
