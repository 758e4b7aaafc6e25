"""Reading ahead, embedding and committing at the same time, batch by batch, in order."""

import logging
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..domain.batches import ChunkFailure, EmbeddedChunk, Outcome
from ..domain.chunks import Chunk, ChunkPlan, ChunkSelection, TokenizedText
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..domain.reports import StageSeconds, VectorizeReport
from ..errors import BadVectors, EmbedderBroken, InvalidSetting
from ..ports import ChunkStore, Embedder, VectorStore
from ..quality.distribution import Distribution
from .embed_deadline import Deadline
from .halving import attempt_halving, message_of
from .run_counts import Candidate, Tally
from .thread_stages import Waits, ahead, apart, as_done, overlapped
from .vector_inspection import Inspector

ProgressCallback = Callable[[BatchProgress], None]

logger = logging.getLogger(__name__)

# Batches in a window. Lengths within 64 batches of 32 are mixed enough that sorting them leaves little padding, and
# 2,048 chunks with their tokens are a few MB, however large the partition is.
WINDOW_BATCHES = 64

# With large batches a window grows no further than this, or than four batches: memory follows the window.
_MOST_WINDOW_CHUNKS = 4096

# While the server works on one batch, the next is made ready and sent: with one at a time each waits for the other.
_COMMITS_AT_ONCE = 2

# Texts that no model fails on, or gives one vector. If it does all the same, the chunks are not to blame.
PROBE_TEXTS = ("The board approved the annual report. 董事会审议通过了年度报告。", "Net sales fell. 营业收入下降。")


@dataclass(frozen=True)
class _Window:
    """Chunks by falling length, how many are expected after them, and what it took to get them."""

    candidates: list[Candidate]
    chunks_after: int
    read_seconds: float
    tokenize_seconds: float


@dataclass(frozen=True)
class _Batch:
    """`total` is the run's, as far as is known now; what is to come comes after this batch."""

    candidates: list[Candidate]
    total: int
    batches_to_come: int
    tokens_to_come: float


@dataclass(frozen=True)
class _Embedded:
    """A batch after the embedder's work: vectors for some, errors for the others."""

    batch: _Batch
    done: list[tuple[Candidate, NDArray[np.float32]]]
    failed: list[tuple[Candidate, Exception]]
    seconds: float


@dataclass(frozen=True)
class _Committed:
    """A batch after its transaction: what became of each chunk."""

    embedded: _Embedded
    rows: list[tuple[Candidate, Outcome]]
    failures: list[ChunkFailure]
    seconds: float


class Vectorizer:
    """Gives chunks their vectors, batch by batch; each batch is one transaction.

    Args:
        chunks: where the chunks are read.
        vectors: where the vectors go.
        embedder: makes them.
        batch_size: chunks in a batch at most, at least 1. The last ones are shared out among the embedder's calls.
        embed_timeout_seconds: what each call of the embedder may take, more than 0.
        check: sees to it, once the embedder is loaded and before anything is stored, that it may be used.

    Raises:
        InvalidSetting: the batch size is below 1, or no time is left to the embedder.
    """

    def __init__(
        self,
        chunks: ChunkStore,
        vectors: VectorStore,
        embedder: Embedder,
        batch_size: int = 32,
        embed_timeout_seconds: float = 600.0,
        check: Callable[[], None] | None = None,
    ) -> None:
        if batch_size < 1:
            raise InvalidSetting("batch_size", f"{batch_size} is below 1", "Give a positive number, e.g. 32.")
        if not embed_timeout_seconds > 0:
            raise InvalidSetting("embed_timeout_seconds", f"{embed_timeout_seconds} is not above 0", "Give e.g. 600.")
        self._chunks = chunks
        self._vectors = vectors
        self._embedder = embedder
        self._inspector = Inspector(embedder)
        self._check = check
        self._batch_size = batch_size
        self._deadline = Deadline(embedder.space.model, embed_timeout_seconds)

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
            EmbedderHung: it does not answer; batches committed before stay.
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
        distribution: Distribution | None = None,
    ) -> VectorizeReport:
        """The same for a partition's pending chunks, at most `limit` of them (None: all).

        Vectors that are stored are added to the `distribution`, in the space's dimension.
        """
        selection = ChunkSelection(partition=partition, include_current=force_revectorize)
        return self._run(selection, limit, progress_callback, run_id, distribution)

    def _run(
        self,
        selection: ChunkSelection,
        limit: int | None,
        callback: ProgressCallback | None,
        run_id: str | None,
        distribution: Distribution | None = None,
    ) -> VectorizeReport:
        plan = self._chunks.plan(selection)
        total = plan.chunks if limit is None else min(limit, plan.chunks)
        # The clock for speed and estimate starts after the loading, which would make the first estimates absurd.
        stages = StageSeconds(load=self._load() if total else 0.0)
        tally = Tally(run_id or uuid.uuid4().hex, total, stages)
        at_once = self._embedder.concurrency if total else 1
        commit, waits = partial(self._commit, run_id=tally.run_id), Waits()
        inspected = self._inspector.seconds
        with (
            closing(ahead(self._windows(selection, plan, total), self._deadline)) as windows,
            closing(self._batches(windows, tally)) as batches,
            closing(overlapped(self._embed_batch, batches, at_once, self._deadline)) as embedded,
            closing(as_done(commit, embedded, _COMMITS_AT_ONCE, self._deadline, waits)) as committed,
        ):
            for batch in committed:
                self._count(batch, tally)
                if distribution is not None:
                    stages.inspect += _add_stored(batch, distribution)
                if callback is not None:
                    self._tell(callback, batch, tally)
        stages.wait_for_embedder = max(waits.for_items - stages.wait_for_window, 0.0)
        stages.wait_for_commit = waits.for_work
        stages.inspect += self._inspector.seconds - inspected
        return tally.report()

    def _load(self) -> float:
        """The seconds it took."""

        def load() -> None:
            with self._deadline.running():
                self._embedder.load()
                if self._check is not None:
                    self._check()

        before = time.perf_counter()
        apart(load, self._deadline)
        return time.perf_counter() - before

    def _windows(self, selection: ChunkSelection, plan: ChunkPlan, total: int) -> Iterator[_Window]:
        """Read the selection window by window; what became pending after the plan waits for the next run."""
        left, resume_after = total, 0
        while left > 0:
            size = min(WINDOW_BATCHES * self._batch_size, max(_MOST_WINDOW_CHUNKS, 4 * self._batch_size))
            if selection.partition is not None:  # of ids given one by one many may be current: look at a windowful
                size = min(size, left)
            started = time.perf_counter()
            window = self._chunks.read_window(selection, resume_after, plan.last_id, size)
            read = time.perf_counter()
            candidates = self._candidates(window.chunks)
            # Longest first: like lengths share a batch, and a batch too large for the memory shows at once.
            candidates.sort(key=lambda candidate: -candidate.tokens.tokens_embedded)
            left -= len(candidates)
            if candidates:
                yield _Window(candidates, max(left, 0), read - started, time.perf_counter() - read)
            if window.resume_after is None:
                return
            resume_after = window.resume_after

    def _candidates(self, chunks: Sequence[Chunk]) -> list[Candidate]:
        """The chunks with their tokens. One that cannot be tokenized goes on with its error, to fail in its batch."""
        done, failed = attempt_halving(chunks, self._tokenize)
        nothing = [Candidate(chunk, TokenizedText(chunk.text, 0, 0, 0), error) for chunk, error in failed]
        return [Candidate(chunk, tokens) for chunk, tokens in done] + nothing

    def _tokenize(self, chunks: Sequence[Chunk]) -> list[TokenizedText]:
        with self._deadline.running():
            return self._embedder.tokenize([chunk.text for chunk in chunks])

    def _batches(self, windows: Iterator[_Window], tally: Tally) -> Generator[_Batch]:
        """Cut windows into batches of like length. Chunks may have come or gone since the plan: the total follows."""
        read = 0
        while True:
            before = time.perf_counter()
            window = next(windows, None)
            waited = time.perf_counter() - before
            tally.stages.wait_for_window += waited
            if window is None:
                return
            tally.stages.read += window.read_seconds
            tally.stages.tokenize += window.tokenize_seconds
            read += len(window.candidates)
            yield from self._cut(window, read + window.chunks_after)

    def _cut(self, window: _Window, total: int) -> Iterator[_Batch]:
        tokens_left = sum(candidate.tokens.tokens_embedded for candidate in window.candidates)
        tokens_after = window.chunks_after * tokens_left / len(window.candidates)
        size = self._batch_size
        if not window.chunks_after:  # the last few are shared out among the calls that may be at work at once
            size = min(size, -(-len(window.candidates) // self._embedder.concurrency))
        starts = range(0, len(window.candidates), size)
        batches_to_come = len(starts) - (-window.chunks_after // size)
        for start in starts:
            candidates = window.candidates[start : start + size]
            batches_to_come -= 1
            tokens_left -= sum(candidate.tokens.tokens_embedded for candidate in candidates)
            yield _Batch(candidates, total, batches_to_come, tokens_left + tokens_after)

    def _embed_batch(self, batch: _Batch) -> _Embedded:
        """In a thread of its own; several may be at work.

        Raises:
            EmbedderBroken: the embedder fails on any text.
        """
        before = time.perf_counter()
        attempted, failed = attempt_halving(batch.candidates, self._embed)
        done, collapsed = self._inspector.without_collapsed(attempted)
        if failed or collapsed:
            self._blame_embedder_or_chunks()
        return _Embedded(batch, done, failed + collapsed, time.perf_counter() - before)

    def _embed(self, candidates: Sequence[Candidate]) -> list[NDArray[np.float32]]:
        for candidate in candidates:
            if candidate.error is not None:
                raise candidate.error
        with self._deadline.running():
            vectors = self._embedder.embed([candidate.tokens for candidate in candidates])
        return self._inspector.good(candidates, vectors)

    def _blame_embedder_or_chunks(self) -> None:
        """Embed texts that are surely good.

        Raises:
            EmbedderBroken: that fails as well, so no chunk may be quarantined.
        """
        try:
            with self._deadline.running():
                tokens = self._embedder.tokenize(PROBE_TEXTS)
                vectors = self._embedder.embed(tokens)
            self._inspector.check(tokens, vectors)
        except Exception as error:
            raise EmbedderBroken(self._embedder.space.model, error) from error

    def _commit(self, batch: _Embedded, run_id: str) -> _Committed:
        """One transaction; two of them may be under way."""
        before = time.perf_counter()
        chunks = [EmbeddedChunk(candidate.chunk, candidate.tokens, vector) for candidate, vector in batch.done]
        failures = [ChunkFailure(c.chunk, type(error).__name__, message_of(error)) for c, error in batch.failed]
        stored = self._vectors.commit_batch(chunks, failures, run_id)
        bad = {failure.chunk.id for failure in failures}
        rows = [(candidate, _outcome(candidate.chunk.id, stored, bad)) for candidate in batch.batch.candidates]
        return _Committed(batch, rows, failures, time.perf_counter() - before)

    def _count(self, batch: _Committed, tally: Tally) -> None:
        tally.total = batch.embedded.batch.total
        faults = [error.fault for _, error in batch.embedded.failed if isinstance(error, BadVectors)]
        tally.add(batch.rows, batch.failures, faults, batch.embedded.batch.tokens_to_come)
        tally.stages.embed += batch.embedded.seconds
        tally.stages.commit += batch.seconds

    def _tell(self, callback: ProgressCallback, batch: _Committed, tally: Tally) -> None:
        """Only of what is committed: what is told is there."""
        before = time.perf_counter()
        try:
            callback(tally.progress(batch.rows, batch.embedded.batch.batches_to_come))
        except Exception:
            if not tally.callback_errors:
                logger.warning("the progress callback failed; the work goes on", exc_info=True)
            tally.callback_errors += 1
        tally.stages.tell += time.perf_counter() - before


def _add_stored(batch: _Committed, distribution: Distribution) -> float:
    """The CPU's seconds that it took."""
    before = time.thread_time()
    stored = {candidate.chunk.id for candidate, outcome in batch.rows if outcome is Outcome.VECTORIZED}
    kept = [(candidate, vector) for candidate, vector in batch.embedded.done if candidate.chunk.id in stored]
    ids = (candidate.chunk.id for candidate, _ in kept)
    lengths = (candidate.tokens.token_count for candidate, _ in kept)
    distribution.add(ids, (vector for _, vector in kept), lengths)
    return time.thread_time() - before


def _outcome(chunk_id: int, stored: set[int], failed: set[int]) -> Outcome:
    if chunk_id in stored:
        return Outcome.VECTORIZED
    return Outcome.FAILED if chunk_id in failed else Outcome.SUPERSEDED
