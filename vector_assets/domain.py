"""The nouns. Values with a meaning and no I/O; each refuses nonsense when it is made."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidPartitionKey, InvalidPattern

Vectors = NDArray[np.float32]
"""Shape (n, dimension), one row a text, in the order of the texts."""


@dataclass(frozen=True, order=True)
class PartitionKey:
    """`market/doc_type/stock_code`: one company's documents of one type in one market.

    Raises:
        InvalidPartitionKey: a part is empty, too long, or holds a character that Dagster's UI cannot select.
    """

    market: str
    doc_type: str
    stock_code: str

    def __post_init__(self) -> None:
        self._refuse_unless("market", self.market, r"[a-z0-9_-]+", "lower-case letters, digits, _ and -")
        self._refuse_unless("doc_type", self.doc_type, r"[A-Za-z0-9_-]+", "letters, digits, _ and -")
        self._refuse_unless("stock_code", self.stock_code, r"[A-Za-z0-9._-]+", "letters, digits, . _ and -")
        # Dagster reads `...` as a range of partitions, and `.` and `..` are not names of folders.
        if "..." in self.stock_code or self.stock_code in {".", ".."}:
            raise InvalidPartitionKey(str(self), "the stock_code is made of dots")

    def _refuse_unless(self, part: str, value: str, form: str, allowed: str) -> None:
        if not value:
            raise InvalidPartitionKey(str(self), f"the {part} is empty")
        if len(value) > 64:
            raise InvalidPartitionKey(str(self), f"the {part} is longer than 64 characters")
        if not re.fullmatch(form, value, re.ASCII):
            raise InvalidPartitionKey(str(self), f"the {part} {value!r} may hold only {allowed}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `market/doc_type/stock_code`.

        Raises:
            InvalidPartitionKey: the text does not have three valid parts.
        """
        parts = text.split("/")
        if len(parts) != 3:
            raise InvalidPartitionKey(text, f"it has {len(parts)} part{'s' * (len(parts) != 1)}, not 3")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.market}/{self.doc_type}/{self.stock_code}"


@dataclass(frozen=True)
class PartitionPattern:
    """Three globs, one a part: `us/*/*` is a market, `*/*/AAPL` a company in all markets."""

    market: str
    doc_type: str
    stock_code: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a pattern.

        Raises:
            InvalidPattern: it has not three parts, or a part could match nothing.
        """
        parts = text.split("/")
        if len(parts) != 3 or not all(re.fullmatch(r"[A-Za-z0-9._*?-]+", part, re.ASCII) for part in parts):
            raise InvalidPattern(text)
        return cls(*parts)

    def matches(self, key: PartitionKey) -> bool:
        """Whether each part of the key fits its glob, letter case included."""
        return (
            fnmatchcase(key.market, self.market)
            and fnmatchcase(key.doc_type, self.doc_type)
            and fnmatchcase(key.stock_code, self.stock_code)
        )


def text_hash(text: str) -> bytes:
    """sha256 of the UTF-8 text, 32 bytes: what the database's trigger computes for the same text."""
    return hashlib.sha256(text.encode("utf-8")).digest()


@dataclass(frozen=True)
class Document:
    """One filing of one issuer, with its text.

    `source_uri` is the path under the landing directory, with `/`; it names the document for ever.
    `fingerprint` tells whether the file has changed since, without reading it.
    """

    source_uri: str
    partition: PartitionKey
    company_name: str
    title: str
    period: str
    language: str
    text: str
    fingerprint: str


@dataclass(frozen=True)
class DocumentRejection:
    """A document that could not be used, and the one line that says why and how to mend it."""

    source_uri: str
    partition: PartitionKey | None
    error: str
    message: str
    fingerprint: str = ""


@dataclass(frozen=True)
class StoredDocument:
    """A document's identity in the store, with the text that chunks are cut from."""

    id: int
    source_uri: str
    text: str


@dataclass(frozen=True)
class ChunksAtStake:
    """How many chunks a partition has, and how many those of its documents have that are to be cut (id -> chunks).

    Documents without chunks are left out: cutting them deletes nothing.
    """

    partition: int
    documents: Mapping[int, int]


@dataclass(frozen=True)
class ChunkChanges:
    """What re-cutting did to the chunks of a document or a partition."""

    unchanged: int = 0
    added: int = 0
    removed: int = 0

    def __add__(self, other: "ChunkChanges") -> "ChunkChanges":
        return ChunkChanges(self.unchanged + other.unchanged, self.added + other.added, self.removed + other.removed)


@dataclass(frozen=True)
class Chunk:
    """A piece of a document's text, the unit that gets a vector. `content_hash` is `text_hash(text)`."""

    id: int
    partition: PartitionKey
    document: str
    chunk_index: int
    text: str
    content_hash: bytes


@dataclass(frozen=True)
class ChunkSelection:
    """Which chunks a run is about: a partition's, or those with the given ids (sorted, without repeats).

    `include_current` takes those that have a current vector or are quarantined too.
    """

    partition: PartitionKey | None = None
    chunk_ids: tuple[int, ...] = ()
    include_current: bool = False


@dataclass(frozen=True)
class ChunkPlan:
    """What a selection holds before the run starts: chunks, and the greatest id."""

    chunks: int
    last_id: int


@dataclass(frozen=True)
class ChunkWindow:
    """Some chunks of a selection in the order of their ids, and where to go on (None: that was all)."""

    chunks: list[Chunk]
    resume_after: int | None


@dataclass(frozen=True)
class TokenizedText:
    """A text as the model will see it.

    `token_count` is what the text has (special tokens and prompt included), `tokens_embedded` what is left after
    the model's limit, `unknown_tokens` how many of those the model's vocabulary does not hold. `ids` are those that
    are left, int32, for embedders that need not tokenize again.
    """

    text: str
    token_count: int
    tokens_embedded: int
    unknown_tokens: int
    ids: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32), compare=False, repr=False)


@dataclass(frozen=True)
class EmbeddingSpace:
    """Vectors compare only inside one space. The slug names its table and is made of all that sets it apart.

    `generation` counts the spaces that one model has had: each time its vectors come out otherwise, by other weights or
    another library, and somebody accepts that, it gets the next.
    """

    model: str
    revision: str
    pooling: str
    document_prompt: str
    query_prompt: str
    dimension: int
    max_tokens: int
    weights_digest: str
    generation: int = 0

    @property
    def slug(self) -> str:
        """At most 40 characters of [a-z0-9_], e.g. `all_minilm_l6_v2_384_1f0c9ab2`."""
        identity: tuple[object, ...] = (
            self.model,
            self.revision,
            self.pooling,
            self.document_prompt,
            self.query_prompt,
            self.dimension,
        )
        if self.generation:
            identity += (self.generation,)
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:8]
        name = unicodedata.normalize("NFKD", self.model.rsplit("/", 1)[-1]).lower()
        readable = re.sub(r"[^a-z0-9]+", "_", name).strip("_")[:24] or "model"
        return f"{readable}_{self.dimension}_{digest}"


@dataclass(frozen=True)
class KeptCanaries:
    """Vectors of the fixed texts as they once came out, float32 (texts, dimension), and what computed them."""

    vectors: Vectors
    device: str


class Outcome(StrEnum):
    """What became of one chunk in a batch."""

    VECTORIZED = "vectorized"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True)
class EmbeddedChunk:
    """A chunk with the vector of exactly this text, float32 of shape (dimension,)."""

    chunk: Chunk
    tokens: TokenizedText
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class ChunkFailure:
    """A chunk that failed alone, with its error."""

    chunk: Chunk
    error: str
    message: str


@dataclass(frozen=True)
class BatchChunk:
    """One line of a batch's table."""

    chunk_id: int
    document: str
    chunk_index: int
    token_count: int
    outcome: Outcome


@dataclass(frozen=True)
class BatchProgress:
    """Where a run stands after a batch was committed. Counts are of chunks; times are seconds.

    `processed` = `vectorized_count` + `superseded_count` + `failed_count`. `seconds_left` weighs the tokens still to
    come with the tokens per second since the first batch; `seconds_left_spread` is how far off that is when the speed
    of the last batches holds instead. What is recent is of the last sixteen batches. None until there is a speed.
    """

    batch_num: int
    total_batches: int
    batch_size: int
    processed: int
    total: int
    vectorized_count: int
    superseded_count: int
    failed_count: int
    tokens: int
    tokens_embedded: int
    unknown_tokens: int
    truncated_chunks: int
    elapsed_seconds: float
    recent_seconds_a_batch: float | None
    recent_tokens_per_second: float | None
    seconds_left: float | None
    seconds_left_spread: float | None
    batch_chunks: tuple[BatchChunk, ...]

    @property
    def percent(self) -> float:
        """0 to 100."""
        return 100.0 * self.processed / self.total

    @property
    def chunks_per_second(self) -> float:
        """Over the whole run so far."""
        return self.processed / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Over the whole run so far."""
        return self.tokens_embedded / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def seconds_a_batch(self) -> float:
        """Over the whole run so far."""
        return self.elapsed_seconds / self.batch_num

    def line(self) -> str:
        """One line: `batch 95/132 · 3,040/4,194 chunks (72.5%) · 138 chunks/s · 8 s left`."""
        speed = self.chunks_per_second
        parts = [
            f"batch {self.batch_num:,}/{self.total_batches:,}",
            f"{self.processed:,}/{self.total:,} chunks ({self.percent:.1f}%)",
            f"{speed:,.0f} chunks/s" if speed >= 10 else f"{speed:.1f} chunks/s",
        ]
        if self.seconds_left is not None:
            parts.append(f"{readable_seconds(self.seconds_left)} left")
        return " · ".join(parts)

    def details(self) -> str:
        """What `line` leaves out: `22 s · 0.23 s a batch · 29,100 tokens/s, lately 30,200 · left ± 1 s · 12 cut`."""
        speed = f"{self.tokens_per_second:,.0f} tokens/s"
        if self.recent_tokens_per_second is not None:
            speed += f", lately {self.recent_tokens_per_second:,.0f}"
        parts = [readable_seconds(self.elapsed_seconds), f"{self.seconds_a_batch:.2g} s a batch", speed]
        if self.seconds_left_spread is not None:
            parts.append(f"left ± {readable_seconds(self.seconds_left_spread)}")
        parts += shortcomings(self.failed_count, self.truncated_chunks, self.unknown_tokens, self.tokens_embedded)
        return " · ".join(parts)


def shortcomings(failed: int, truncated_chunks: int, unknown_tokens: int, tokens_embedded: int) -> list[str]:
    """What is not as it should be, in words; nothing where all is: `2 failed`, `12 cut`, `31% unknown tokens`."""
    found = [f"{count:,} {what}" for count, what in ((failed, "failed"), (truncated_chunks, "cut")) if count]
    # As a percent with one digit, for a few rare symbols are normal.
    if tokens_embedded and (share := f"{unknown_tokens / tokens_embedded:.1%}") != "0.0%":
        found.append(f"{share} unknown tokens")
    return found


def readable_seconds(seconds: float) -> str:
    """`8 s`, `2 min 05 s`, `1 h 20 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def readable_line(text: str, most: int) -> str:
    """One line of at most `most` characters: blanks for line ends and for what a terminal would obey, not show."""
    # Whoever wrote an endless text, only its beginning is looked at.
    shown = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return shown if len(shown) <= most and len(text) <= 4 * most else shown[: most - 4].rstrip() + " ..."


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
    percent, how wrong the announced time left was when 25, 50 and 75 % of the chunks were done (None: not announced).
    `course` is how the run went: seconds since it began, and chunks that had had their turn by then.
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
    course: tuple[tuple[float, int], ...] = ()

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


@dataclass(frozen=True)
class QuarantinedChunk:
    """A chunk that failed alone and waits; `attempts` are those of its present text.

    `next_attempt_at` None: it waits for new text or for somebody to ask for another try.
    """

    chunk_id: int
    partition: PartitionKey
    document: str
    chunk_index: int
    error: str
    message: str
    attempts: int
    failed_at: datetime
    next_attempt_at: datetime | None
    run_id: str


@dataclass(frozen=True)
class RetryOutcome:
    """What has become of chunks that were freed for another try; those whose documents are gone count nowhere."""

    vectorized: int
    quarantined: int
    pending: int


@dataclass(frozen=True)
class SearchFilter:
    """Narrows a search; None means any."""

    market: str | None = None
    doc_type: str | None = None
    stock_code: str | None = None


@dataclass(frozen=True)
class SearchHit:
    """A chunk near a question. `score` is the cosine similarity, 1 is the same direction."""

    score: float
    partition: PartitionKey
    document: str
    chunk_index: int
    text: str = field(repr=False)
