"""The counts of a run, and the progress and the report that are made of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..domain.batches import BatchChunk, ChunkFailure, Outcome
from ..domain.progress import BatchProgress
from ..domain.reports import StageSeconds, VectorizeReport
from ..errors import BadVectors
from ..estimates.time_left import RunTimeLeft
from ..quality.scripts import Script, script_of
from .batch_embedder import EmbeddedBatch
from .windows import TokenizedChunk

_LISTED_FAILURES = 10
# Batches without an unknown token whose script is looked at, which takes a fifth of the time of counting a batch.
_BATCHES_OF_SCRIPT = 100


@dataclass(frozen=True)
class CommittedBatch:
    """A batch after its transaction, with the outcome of each chunk."""

    embedded: EmbeddedBatch
    outcomes: list[tuple[TokenizedChunk, Outcome]]
    failures: list[ChunkFailure]
    seconds: float


@dataclass
class RunCounts:
    """The counts of one run. Only the thread that runs the loop writes them."""

    run_id: str
    total: int
    stages: StageSeconds
    estimate: RunTimeLeft
    batches: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    tokens: int = 0
    tokens_embedded: int = 0
    unknown_tokens: int = 0
    truncated_chunks: int = 0
    reused: int = 0
    stopped: str | None = None
    tokens_used: int | None = None
    callback_errors: int = 0
    failures: list[ChunkFailure] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    _scripts: Counter[str] = field(default_factory=Counter)

    @property
    def processed(self) -> int:
        """Chunks whose batch was committed."""
        return sum(self.outcomes.values())

    def add(self, committed: CommittedBatch) -> None:
        """Count a batch that was committed."""
        embedded = committed.embedded
        self.batches += 1
        self.reused += embedded.reused
        self.total = embedded.batch.total_chunks
        outcomes = [outcome for _, outcome in committed.outcomes]
        for outcome in Outcome:
            self.outcomes[outcome] += outcomes.count(outcome)
        texts = [chunk.tokens for chunk, _ in committed.outcomes]
        self.tokens += sum([text.token_count for text in texts])
        self.tokens_embedded += sum([text.tokens_embedded for text in texts])
        self.unknown_tokens += sum([text.unknown_tokens for text in texts])
        self.truncated_chunks += sum([text.tokens_embedded < text.token_count for text in texts])
        self.failures.extend(committed.failures[: _LISTED_FAILURES - len(self.failures)])
        self.faults.update(error.fault for _, error in embedded.errors if isinstance(error, BadVectors))
        self._count_script(embedded.batch.chunks)
        self.estimate.batch_committed(self.processed, self.tokens_embedded, embedded.batch.tokens_after)
        self.stages.embed += embedded.seconds
        self.stages.commit += committed.seconds

    def _count_script(self, chunks: Sequence[TokenizedChunk]) -> None:
        """Look at the script of the text with most unknown tokens; the other texts of a batch are similar enough.

        Where the model knows all tokens, the first batches say enough.
        """
        tokens = max([chunk.tokens for chunk in chunks], key=lambda tokens: tokens.unknown_tokens)
        if not tokens.unknown_tokens and self.batches > _BATCHES_OF_SCRIPT:
            return
        self._scripts[script_of(tokens.text)] += 1 + tokens.unknown_tokens

    def progress(self, committed: CommittedBatch) -> BatchProgress:
        """Return the progress of the run after this batch, which was counted last."""
        return BatchProgress(
            batch_num=self.batches,
            total_batches=self.batches + committed.embedded.batch.batches_after,
            batch_size=len(committed.outcomes),
            processed=self.processed,
            total=self.total,
            vectorized_count=self.outcomes[Outcome.VECTORIZED],
            superseded_count=self.outcomes[Outcome.SUPERSEDED],
            failed_count=self.outcomes[Outcome.FAILED],
            tokens=self.tokens,
            tokens_embedded=self.tokens_embedded,
            unknown_tokens=self.unknown_tokens,
            truncated_chunks=self.truncated_chunks,
            elapsed_seconds=self.estimate.elapsed,
            recent_seconds_a_batch=self.estimate.recent_seconds_a_batch,
            recent_tokens_per_second=self.estimate.recent_tokens_per_second,
            seconds_left=self.estimate.seconds_left,
            seconds_left_spread=self.estimate.spread,
            batch_chunks=tuple(
                BatchChunk(chunk.id, chunk.document, chunk.chunk_index, tokens.token_count, outcome)
                for (chunk, tokens, _), outcome in committed.outcomes
            ),
            reused_count=self.reused,
        )

    def report(self) -> VectorizeReport:
        """Return the report of the whole run."""
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
            seconds=self.estimate.elapsed,
            stages=self.stages,
            failures=tuple(self.failures),
            faults=dict(self.faults),
            script=max(self._scripts, key=lambda script: self._scripts[script], default=Script.OTHER),
            estimate_errors=self.estimate.errors(),
            reused_count=self.reused,
            stopped=self.stopped,
            tokens_used=self.tokens_used,
        )
