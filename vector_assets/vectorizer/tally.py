"""Counts of a run, the seconds of its stages, and the estimate made of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..domain import (
    BatchChunk,
    BatchProgress,
    Chunk,
    ChunkFailure,
    Outcome,
    StageSeconds,
    TokenizedText,
    VectorizeReport,
)

_SHOWN_FAILURES = 10


class Candidate(NamedTuple):
    """A chunk whose turn has come, as the model will see it, or with the error that kept it from being tokenized."""

    chunk: Chunk
    tokens: TokenizedText
    error: Exception | None = None


@dataclass
class Tally:
    """Written by the loop's own thread only."""

    run_id: str
    total: int
    stages: StageSeconds
    started: float = field(default_factory=time.perf_counter)
    batches: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    tokens: int = 0
    tokens_embedded: int = 0
    unknown_tokens: int = 0
    truncated_chunks: int = 0
    callback_errors: int = 0
    failures: list[ChunkFailure] = field(default_factory=list)
    first_at: float = 0.0
    first_tokens: int = 0

    @property
    def processed(self) -> int:
        """Chunks that had their turn."""
        return sum(self.outcomes.values())

    @property
    def elapsed(self) -> float:
        """Seconds since the first window was asked for."""
        return time.perf_counter() - self.started

    def add(self, rows: Sequence[tuple[Candidate, Outcome]], failures: Sequence[ChunkFailure]) -> None:
        """Count a batch that was committed."""
        self.batches += 1
        for candidate, outcome in rows:
            self.outcomes[outcome] += 1
            self.tokens += candidate.tokens.token_count
            self.tokens_embedded += candidate.tokens.tokens_embedded
            self.unknown_tokens += candidate.tokens.unknown_tokens
            self.truncated_chunks += candidate.tokens.tokens_embedded < candidate.tokens.token_count
        if self.batches == 1:
            self.first_at, self.first_tokens = self.elapsed, self.tokens_embedded
        self.failures.extend(failures[: _SHOWN_FAILURES - len(self.failures)])

    def progress(
        self, rows: Sequence[tuple[Candidate, Outcome]], batch_size: int, tokens_to_come: float
    ) -> BatchProgress:
        """Where the run stands after the batch with these rows, of a run with batches of `batch_size`."""
        batches_to_come = -(-(self.total - self.processed) // batch_size)
        return BatchProgress(
            batch_num=self.batches,
            total_batches=self.batches + batches_to_come,
            batch_size=len(rows),
            processed=self.processed,
            total=self.total,
            vectorized_count=self.outcomes[Outcome.VECTORIZED],
            superseded_count=self.outcomes[Outcome.SUPERSEDED],
            failed_count=self.outcomes[Outcome.FAILED],
            tokens_embedded=self.tokens_embedded,
            elapsed_seconds=self.elapsed,
            seconds_left=self._seconds_left(tokens_to_come),
            batch_chunks=tuple(
                BatchChunk(chunk.id, chunk.document, chunk.chunk_index, tokens.token_count, outcome)
                for (chunk, tokens, _), outcome in rows
            ),
        )

    def _seconds_left(self, tokens_to_come: float) -> float | None:
        """Tokens to come at the speed since the first batch, which came with the first window's reading.

        Batches are sorted by length, so counting chunks would mislead.
        """
        if tokens_to_come == 0:
            return 0.0
        tokens, seconds = self.tokens_embedded - self.first_tokens, self.elapsed - self.first_at
        return tokens_to_come * seconds / tokens if tokens > 0 and seconds > 0 else None

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
            seconds=self.elapsed,
            stages=self.stages,
            failures=tuple(self.failures),
        )
