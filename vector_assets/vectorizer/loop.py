"""The loop: it runs the stages of a run, and counts and reports what they commit, batch by batch, in order."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from ..domain.batches import ChunkFailure, EmbeddedChunk, Outcome
from ..domain.chunks import ChunkSelection, text_hash
from ..domain.partition_keys import PartitionKey
from ..domain.progress import BatchProgress
from ..domain.reports import StageSeconds, VectorizeReport
from ..errors import EmbedderDrifted, EmbedderSwapped, InvalidChunkId, InvalidSetting, ModelTooLarge
from ..estimates.time_left import RunTimeLeft
from ..ports import AnswerJournal, ChunkStore, Embedder, VectorStore
from ..quality.distribution import Distribution
from ..translation import translate
from .batch_embedder import BatchEmbedder, EmbeddedBatch
from .embed_deadline import EmbedDeadline
from .embedder_calls import EmbedderCalls, WaitCallback, log_wait
from .halving import message_of
from .pipeline import Pipeline
from .run_budget import RunBudget
from .run_counts import CommittedBatch, RunCounts
from .thread_stages import run_in_thread
from .windows import BatchSplitter, WindowReader

ProgressCallback = Callable[[BatchProgress], None]

logger = logging.getLogger(__name__)

# The last 62 bits of a UUID of version 4 or 7 are random (RFC 9562).
_RANDOM_BITS = (1 << 62) - 1


class Vectorizer:
    """Gives chunks their vectors, batch by batch. Each batch is one transaction.

    Args:
        chunks: the store that chunks are read from.
        vectors: the store that vectors are committed to.
        embedder: turns the texts of chunks into vectors.
        batch_size: the most chunks of a batch, at least 1. The last chunks are shared among the embedder's calls.
        embed_timeout_seconds: the time limit of each call of the embedder, more than 0. For as long a run waits for an
            embedder that says that it is busy.
        check_embedder: is called when the embedder is loaded, before anything is stored; raises if it may not be used.
        check_again: is called after the last batch; if it raises EmbedderDrifted, what the run stored is discarded.
        interrupted: once it is set, a run no longer waits for an embedder that is busy.
        journals: opens the journal of a server's answers under a name; None: they are not kept for after a kill.
        on_interrupt: is called when a run is interrupted (KeyboardInterrupt and the like), to end what its threads wait
            for in the database.

    `total_count` is how many chunks its run is to embed, and `committed_count` how many vectors it has committed. Where
    the run is interrupted, some of them were not reported.

    Raises:
        InvalidSetting: the batch size or the time limit is too small.
    """

    def __init__(
        self,
        chunks: ChunkStore,
        vectors: VectorStore,
        embedder: Embedder,
        batch_size: int = 32,
        embed_timeout_seconds: float = 600.0,
        check_embedder: Callable[[], None] | None = None,
        check_again: Callable[[], None] | None = None,
        interrupted: threading.Event | None = None,
        on_interrupt: Callable[[], None] = lambda: None,
        journals: Callable[[str], AnswerJournal] | None = None,
    ) -> None:
        if batch_size < 1:
            raise InvalidSetting("batch_size", f"{batch_size} is below 1", "Give a positive number, e.g. 32.")
        if not embed_timeout_seconds > 0:
            raise InvalidSetting("embed_timeout_seconds", f"{embed_timeout_seconds} is not above 0", "Give e.g. 600.")
        self._chunks = chunks
        self._vectors = vectors
        self._embedder = embedder
        self._check_embedder = check_embedder
        self._check_again = check_again
        self._batch_size = batch_size
        self._embed_timeout_seconds = embed_timeout_seconds
        self._interrupted = interrupted
        self._on_interrupt = on_interrupt
        self._journals = journals
        self._counting = threading.Lock()
        self.total_count = self.committed_count = 0

    def vectorize_chunks(
        self,
        chunk_ids: Sequence[UUID | str],
        force_revectorize: bool = False,
        progress_callback: ProgressCallback | None = None,
        *,
        run_id: str | None = None,
    ) -> VectorizeReport:
        """Embed the pending chunks among the given ids, or by force all of them. Unknown ids are skipped.

        The callback is called after each commit. An error that it raises is logged and never stops the run. A forced
        run that is called again with the same `run_id` embeds only what it has not embedded yet.

        Raises:
            InvalidChunkId: a string is no UUID; nothing was embedded.
            ModelTooLarge: it does not fit the memory; nothing was embedded.
            EmbedderBroken: the embedder fails on any text; batches committed before stay.
            EmbedderHung: the embedder does not answer; batches committed before stay.
            EmbedderUnavailable: the embedder was busy for too long; batches committed before stay.
            DatabaseError: the database cannot go on; batches committed before stay.
        """
        ids = tuple(sorted({_chunk_id(given) for given in chunk_ids}))
        return self._run(ChunkSelection(chunk_ids=ids), force_revectorize, None, progress_callback, run_id)

    def vectorize_partition(
        self,
        partition: PartitionKey,
        force_revectorize: bool = False,
        progress_callback: ProgressCallback | None = None,
        *,
        limit: int | None = None,
        run_id: str | None = None,
        distribution: Distribution | None = None,
        budget: RunBudget | None = None,
        on_wait: WaitCallback = log_wait,
    ) -> VectorizeReport:
        """Embed the pending chunks of a partition, at most `limit` of them, in the same way as `vectorize_chunks`.

        By force and with a limit, the chunks with the oldest vectors are embedded. Vectors that are stored are added to
        the `distribution`, which has the dimension of the space. When the `budget` is used up, the batches in work are
        finished, and the other chunks stay pending. `on_wait` is called, in any thread, with each pause for an embedder
        that is busy; by default it is logged.
        """
        selection = ChunkSelection(partition=partition)
        return self._run(selection, force_revectorize, limit, progress_callback, run_id, distribution, budget, on_wait)

    def _run(
        self,
        selection: ChunkSelection,
        force: bool,
        limit: int | None,
        callback: ProgressCallback | None,
        run_id: str | None,
        distribution: Distribution | None = None,
        budget: RunBudget | None = None,
        on_wait: WaitCallback = log_wait,
    ) -> VectorizeReport:
        run_id, used_before = run_id or uuid.uuid4().hex, self._embedder.tokens_used
        if force:
            self._chunks.queue_again(selection, run_id, limit)
        pending = self._chunks.count_pending(selection)
        self.total_count = total = pending if limit is None else min(limit, pending)
        # The clock of speed and estimate starts after the model was loaded; otherwise the first estimates are absurd.
        calls = self._calls(on_wait)
        stages = StageSeconds(load=self._load_embedder(calls) if total else 0.0)
        concurrency = self._embedder.concurrency if total else 1
        counts = RunCounts(run_id, total, stages, RunTimeLeft(concurrency))
        with self._journal(selection, run_id if force else "") as journal:
            pipeline = self._pipeline(calls, concurrency, force, run_id, budget, journal)
            with pipeline.committed(selection, total) as batches:
                for batch in batches:
                    counts.add(batch)
                    if distribution is not None:
                        stages.inspect += _add_to_distribution(distribution, batch)
                    if callback is not None:
                        _report_progress(callback, batch, counts)
            if counts.batches:
                self._require_same_embedder(selection, run_id, calls)
        counts.stopped = budget.stopped if budget else None
        if self._embedder.tokens_used is not None:
            counts.tokens_used = self._embedder.tokens_used - (used_before or 0)
        pipeline.add_seconds(stages)
        return counts.report()

    @contextmanager
    def _journal(self, selection: ChunkSelection, forced_run: str) -> Iterator[AnswerJournal | None]:
        """Open the journal of the answers, which only a run of the same chunks continues, and by force the same run."""
        if self._journals is None:
            yield None
            return
        journal = self._journals(text_hash(f"{selection} {forced_run}").hex()[:16])
        forget = False
        try:
            yield journal
            forget = True
        except EmbedderSwapped:
            forget = True
            raise
        finally:
            journal.close(forget)

    def _pipeline(
        self,
        calls: EmbedderCalls,
        concurrency: int,
        force: bool,
        run_id: str,
        budget: RunBudget | None,
        journal: AnswerJournal | None,
    ) -> Pipeline:
        of_server = bool(self._embedder.space.provider)
        reader = WindowReader(self._chunks, self._embedder, self._batch_size, calls)
        # A request to a server takes as long for one text as for many, so that its last batches are not made smaller.
        splitter = BatchSplitter(self._batch_size, 1 if of_server else concurrency)
        # The vectors of a server cost money. By force, they are made again.
        stored = self._vectors.vectors_of_texts if of_server and not force else None
        embedder = BatchEmbedder(self._embedder, calls, stored, journal)
        commit = partial(self._commit, run_id=run_id)
        return Pipeline(reader, splitter, embedder, commit, concurrency, calls.deadline, budget)

    def _require_same_embedder(self, selection: ChunkSelection, run_id: str, calls: EmbedderCalls) -> None:
        """Check the embedder again after the run. If it is another one now, discard what the run has stored.

        Raises:
            EmbedderSwapped: it is.
        """
        check = self._check_again
        if check is None:
            return
        try:
            run_in_thread(lambda: calls.call(check), calls.deadline)
        except EmbedderDrifted as error:
            raise EmbedderSwapped(error, self._vectors.discard(selection, run_id)) from error

    def _calls(self, on_wait: WaitCallback) -> EmbedderCalls:
        """Make the door to the embedder for one run, whose waits end when the run does."""

        def end_waits(error: BaseException) -> None:
            calls.end()
            if not isinstance(error, (Exception, GeneratorExit)):
                self._on_interrupt()

        deadline = EmbedDeadline(self._embedder.space.model, self._embed_timeout_seconds, end_waits)
        calls = EmbedderCalls(deadline, self._embed_timeout_seconds, self._interrupted, on_wait)
        return calls

    def _load_embedder(self, calls: EmbedderCalls) -> float:
        """Load the embedder, check it, and return the seconds that this took."""

        def load() -> None:
            try:
                self._embedder.load()
            except MemoryError as error:
                raise ModelTooLarge(self._embedder.space.model, error) from error
            if self._check_embedder is not None:
                self._check_embedder()

        started = time.perf_counter()
        run_in_thread(lambda: calls.call(load), calls.deadline)
        return time.perf_counter() - started

    def _commit(self, embedded: EmbeddedBatch, run_id: str) -> CommittedBatch:
        """Commit a batch in one transaction. Several threads do this at the same time."""
        started = time.perf_counter()
        vectors = [EmbeddedChunk(chunk.chunk, chunk.tokens, vector) for chunk, vector in embedded.vectors]
        failures = [
            ChunkFailure(chunk.chunk, type(error).__name__, message_of(error)) for chunk, error in embedded.errors
        ]
        stored = self._vectors.commit_batch(vectors, failures, run_id)
        with self._counting:
            self.committed_count += len(stored)
        failed = {failure.chunk.id for failure in failures}
        outcomes = [(chunk, _outcome(chunk.chunk.id, stored, failed)) for chunk in embedded.batch.chunks]
        return CommittedBatch(embedded, outcomes, failures, time.perf_counter() - started)


def _chunk_id(given: UUID | str) -> UUID:
    if isinstance(given, UUID):
        return given
    try:
        return UUID(given)
    except (ValueError, AttributeError, TypeError):
        raise InvalidChunkId(given) from None


def _outcome(chunk_id: UUID, stored: set[UUID], failed: set[UUID]) -> Outcome:
    if chunk_id in stored:
        return Outcome.VECTORIZED
    return Outcome.FAILED if chunk_id in failed else Outcome.SUPERSEDED


def _report_progress(callback: ProgressCallback, batch: CommittedBatch, counts: RunCounts) -> None:
    """Report a batch that is committed, so that whatever was reported is in the table."""
    started = time.perf_counter()
    try:
        callback(counts.progress(batch))
    except Exception:
        if not counts.callback_errors:
            logger.warning(translate("the progress callback failed; the work goes on"), exc_info=True)
        counts.callback_errors += 1
    counts.stages.report += time.perf_counter() - started


def _add_to_distribution(distribution: Distribution, batch: CommittedBatch) -> float:
    """Add the vectors that were stored, and return the CPU seconds that this took."""
    started = time.thread_time()
    stored = {chunk.chunk.id for chunk, outcome in batch.outcomes if outcome is Outcome.VECTORIZED}
    kept = [(chunk, vector) for chunk, vector in batch.embedded.vectors if chunk.chunk.id in stored]
    ids = (chunk.chunk.id.int & _RANDOM_BITS for chunk, _ in kept)
    lengths = (chunk.tokens.token_count for chunk, _ in kept)
    distribution.add(ids, (vector for _, vector in kept), lengths)
    return time.thread_time() - started
