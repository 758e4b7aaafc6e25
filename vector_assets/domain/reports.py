"""The report of a run that has ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .batches import ChunkFailure


@dataclass
class StageSeconds:
    """Seconds that a run spent in each of its stages. Only the thread that runs the loop writes them.

    Reading, tokenizing, embedding and committing happen in threads at the same time, so they do not add up to the
    length of the run. `embed` and `commit` are sums over all threads. `inspect` is CPU time, and most of it is part of
    `embed`. What adds up to the run is `load`, `report` and the three waits.
    """

    load: float = 0.0
    read: float = 0.0
    tokenize: float = 0.0
    embed: float = 0.0
    inspect: float = 0.0
    commit: float = 0.0
    report: float = 0.0
    wait_for_window: float = 0.0
    wait_for_embedder: float = 0.0
    wait_for_commit: float = 0.0

    @property
    def bottleneck(self) -> str:
        """The stage that must become faster to make the run faster. Loading the model does not count."""
        seconds = {
            "reading": self.wait_for_window,
            "embedding": self.wait_for_embedder,
            "committing": self.wait_for_commit,
            "reporting": self.report,
        }
        return max(seconds, key=lambda stage: seconds[stage])


@dataclass(frozen=True)
class VectorizeReport:
    """The report of one run. Counts are of chunks or tokens; `failures` holds the first ten.

    `seconds` is the work after the model was loaded. `faults` counts the vectors that were refused, by what was wrong.
    `reused_count` counts the chunks that got the stored vector of the same text. `stopped` says why chunks were left
    pending although nothing failed; None: none were. `tokens_used` are those that a server has counted; None: no
    server was asked.
    `script` is what most of the texts looked at are written in: `latin`, `han` or `other`. `estimate_errors` says, in
    percent, how wrong the estimated time left was when 25, 50 and 75 % of the chunks were done (None: no estimate).
    """

    run_id: str
    total: int
    batches: int
    vectorized_count: int
    superseded_count: int
    failed_count: int
    tokens: int
    tokens_embedded: int
    unknown_tokens: int
    truncated_chunks: int
    callback_errors: int
    seconds: float
    stages: StageSeconds
    failures: tuple[ChunkFailure, ...] = ()
    faults: Mapping[str, int] = field(default_factory=dict)
    script: str = "other"
    estimate_errors: Mapping[int, float | None] = field(default_factory=dict)
    reused_count: int = 0
    stopped: str | None = None
    tokens_used: int | None = None

    @property
    def processed(self) -> int:
        """Chunks whose batch was committed."""
        return self.vectorized_count + self.superseded_count + self.failed_count

    @property
    def failed_fraction(self) -> float:
        """Share of the processed chunks that failed, 0 to 1."""
        return self.failed_count / self.processed if self.processed else 0.0

    def failed_too_many(self, max_failed_fraction: float) -> bool:
        """Return whether more than this share of the processed chunks failed: 0 allows no failure, 1 allows all.

        Above 0, a single failure is always allowed. In a partition of three chunks it is a third of them, but it says
        something about that chunk and nothing about the run.
        """
        if self.failed_count == 1 and max_failed_fraction > 0:
            return False
        return self.failed_fraction > max_failed_fraction

    @property
    def chunks_per_second(self) -> float:
        """Speed of the whole run, with reading and committing, without loading the model."""
        return self.processed / self.seconds if self.seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Embedded tokens per second of the whole run."""
        return self.tokens_embedded / self.seconds if self.seconds > 0 else 0.0

    @property
    def unknown_share(self) -> float:
        """Share of the embedded tokens that the model's vocabulary does not hold, 0 to 1."""
        return self.unknown_tokens / self.tokens_embedded if self.tokens_embedded else 0.0
