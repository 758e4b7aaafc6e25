"""What a run did, once it has ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .batches import ChunkFailure


@dataclass
class StageSeconds:
    """Where a run's time went, in seconds.

    Reading, tokenizing, embedding and committing go on in threads, so that these do not add up to the run; `embed` and
    `commit` are sums over all threads, and `inspect`, the most of which is part of `embed`, is the CPU's. What the run
    is made of is `load`, the three waits and `tell`.
    """

    load: float = 0.0
    read: float = 0.0
    tokenize: float = 0.0
    embed: float = 0.0
    inspect: float = 0.0
    commit: float = 0.0
    tell: float = 0.0
    wait_for_window: float = 0.0
    wait_for_embedder: float = 0.0
    wait_for_commit: float = 0.0

    @property
    def bottleneck(self) -> str:
        """The stage that a faster run would need to be faster, the loading left aside."""
        parts = {
            "reading": self.wait_for_window,
            "embedding": self.wait_for_embedder,
            "committing": self.wait_for_commit,
            "telling": self.tell,
        }
        return max(parts, key=lambda name: parts[name])


# English filings give 0.0 % unknown tokens with the bundled model and Chinese ones over 50 %; a few rare symbols are
# normal, so the line is drawn well above them.
UNKNOWN_SHARE_LIMIT = 0.05


@dataclass(frozen=True)
class SightLimits:
    """Up to which share of the tokens, 0 to 1, the model may not know them, or they may lie beyond what it reads."""

    unknown_share: float = UNKNOWN_SHARE_LIMIT
    lost_share: float = 0.0

    def warnings(
        self, unknown_share: float, truncated_chunks: int, chunks: int, tokens: int, tokens_embedded: int
    ) -> list[str]:
        """Say what the model could not see: words outside its vocabulary, and text beyond what it reads."""
        found = []
        if unknown_share > self.unknown_share:
            found.append(
                f"The model does not know {unknown_share:.0%} of the tokens: it cannot read this text. Set "
                "EMBEDDING_MODEL to a model for its language, e.g. a multilingual one for Chinese."
            )
        lost = tokens - tokens_embedded
        if tokens and lost / tokens > self.lost_share:
            found.append(
                f"{truncated_chunks:,} of {chunks:,} chunks were cut at the model's limit, and {lost:,} tokens "
                f"({lost / tokens:.1%}) lost. Cut smaller chunks (VECTOR_ASSETS_CHUNK_TOKENS), or choose a model that "
                "reads more."
            )
        return found


@dataclass(frozen=True)
class VectorizeReport:
    """What a run did. Counts are of chunks or tokens; `failures` holds the first ten.

    `seconds` is the work after the model was loaded. `faults` counts the vectors that were refused, by what was wrong.
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

    @property
    def processed(self) -> int:
        """Chunks that had their turn."""
        return self.vectorized_count + self.superseded_count + self.failed_count

    @property
    def failed_fraction(self) -> float:
        """Share of the chunks that had their turn and failed, 0 to 1."""
        return self.failed_count / self.processed if self.processed else 0.0

    def failed_too_many(self, max_failed_fraction: float) -> bool:
        """Whether a larger share of the chunks that had their turn failed than may: 0 lets none pass, 1 all.

        Above 0, one failure is always let pass. In a partition of three chunks one is a third already, yet it says
        something of that chunk and nothing of the run.
        """
        if self.failed_count == 1 and max_failed_fraction > 0:
            return False
        return self.failed_fraction > max_failed_fraction

    @property
    def chunks_per_second(self) -> float:
        """Over the whole run, reading and committing included, loading the model not."""
        return self.processed / self.seconds if self.seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Embedded, over the whole run."""
        return self.tokens_embedded / self.seconds if self.seconds > 0 else 0.0

    @property
    def unknown_share(self) -> float:
        """Share of the embedded tokens that the model's vocabulary does not hold, 0 to 1."""
        return self.unknown_tokens / self.tokens_embedded if self.tokens_embedded else 0.0

    def warnings(self, limits: SightLimits) -> list[str]:
        """What the model could not see, in words, with the mend."""
        return limits.warnings(
            self.unknown_share, self.truncated_chunks, self.processed, self.tokens, self.tokens_embedded
        )
