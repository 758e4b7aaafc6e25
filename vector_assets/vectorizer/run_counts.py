"""Counts of a run, and what is said of it while it goes on and at its end."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..domain.batches import BatchChunk, ChunkFailure, Outcome
from ..domain.chunks import Chunk, TokenizedText
from ..domain.progress import BatchProgress
from ..domain.reports import StageSeconds, VectorizeReport
from ..estimates.time_left import RunTimeLeft
from ..quality.scripts import Script, script_of

_SHOWN_FAILURES = 10


class Candidate(NamedTuple):
    """A chunk whose turn has come, as the model will see it, or with the error that kept it from being tokenized."""

    chunk: Chunk
    tokens: TokenizedText
    error: Exception | None = None


Rows = Sequence[tuple[Candidate, Outcome]]


@dataclass
class Tally:
    """Written by the loop's own thread only."""

    run_id: str
    total: int
    stages: StageSeconds
    estimate: RunTimeLeft = field(default_factory=RunTimeLeft)
    batches: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    tokens: int = 0
    tokens_embedded: int = 0
    unknown_tokens: int = 0
    truncated_chunks: int = 0
    callback_errors: int = 0
    failures: list[ChunkFailure] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    _scripts: Counter[str] = field(default_factory=Counter)

    @property
    def processed(self) -> int:
        """Chunks that had their turn."""
        return sum(self.outcomes.values())

    def add(self, rows: Rows, failures: Sequence[ChunkFailure], faults: Iterable[str], tokens_to_come: float) -> None:
        """Count a batch that was committed; `faults` are those of its bad vectors."""
        self.batches += 1
        for candidate, outcome in rows:
            self.outcomes[outcome] += 1
            self.tokens += candidate.tokens.token_count
            self.tokens_embedded += candidate.tokens.tokens_embedded
            self.unknown_tokens += candidate.tokens.unknown_tokens
            self.truncated_chunks += candidate.tokens.tokens_embedded < candidate.tokens.token_count
        self.failures.extend(failures[: _SHOWN_FAILURES - len(self.failures)])
        self.faults.update(faults)
        self._look_at_script(rows)
        self.estimate.batch_committed(self.processed, self.tokens_embedded, tokens_to_come)

    def _look_at_script(self, rows: Rows) -> None:
        """Of the text that the model knows least of, for the others of the batch are like enough."""
        tokens = max((candidate.tokens for candidate, _ in rows), key=lambda tokens: tokens.unknown_tokens)
        self._scripts[script_of(tokens.text)] += 1 + tokens.unknown_tokens

    def progress(self, rows: Rows, batches_to_come: int) -> BatchProgress:
        """Where the run stands after the batch with these rows."""
        return BatchProgress(
            batch_num=self.batches,
            total_batches=self.batches + batches_to_come,
            batch_size=len(rows),
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
                for (chunk, tokens, _), outcome in rows
            ),
        )

    def report(self) -> VectorizeReport:
        """What the run did."""
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
        )
