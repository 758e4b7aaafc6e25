"""The facts by which the checks of a partition's vectors are judged after a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from ..domain.partition_keys import PartitionKey
from ..domain.quarantine import FailedChunk
from ..domain.reports import VectorizeReport
from ..errors import EmbedderDrifted
from .check_runner import NotGathered
from .limits import QualityLimits
from .partition_facts import NearestChunk, PartitionVectorFacts, SharedVector


@dataclass(frozen=True)
class AuditedRun:
    """A run that has ended. It was to take at most `limit` chunks, and `max_failed_fraction` of them may fail.

    `moment` is when it began, as the store of the audit's facts gave it.
    """

    report: VectorizeReport
    limit: int | None
    max_failed_fraction: float
    moment: str

    @property
    def reached_limit(self) -> bool:
        """Whether the run took as many chunks as it was allowed to."""
        return self.limit is not None and self.report.processed >= self.limit


@dataclass(frozen=True)
class SampleTokens:
    """Tokens of a sample of the partition's chunks, and the script of their text."""

    chunks: int
    tokens_embedded: int
    unknown_tokens: int
    script: str

    @property
    def unknown_share(self) -> float:
        """Share of the embedded tokens that the model's vocabulary does not hold, 0 to 1."""
        return self.unknown_tokens / self.tokens_embedded if self.tokens_embedded else 0.0


@dataclass(frozen=True)
class DriftFacts:
    """The lowest cosine of a reference text's vector with the stored one, and what computed the vectors now.

    `error` is set where the cosine was too low for anything to be stored.
    """

    lowest_cosine: float
    device: str
    error: EmbedderDrifted | None = None


@dataclass(frozen=True)
class RetrievalFacts:
    """Chunks that were embedded again, and what a search with their new vectors found.

    `names` holds the names of the chunks that appear in a table, by id; a deleted chunk has none.
    """

    found: tuple[NearestChunk, ...]
    from_run: int
    names: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VectorFacts:
    """What a run did, and what is stored after it. A fact that could not be gathered fails only the check it is for.

    `failed` are examples of failed chunks. `collapsed` are shared vectors of texts that differ for the model too.
    `sample_tokens` is None where the run embedded most of the partition, so that its own tokens say enough.
    `max_tokens` is the model's limit, `chunk_tokens` the setting.
    """

    partition: PartitionKey
    run: AuditedRun
    limits: QualityLimits
    max_tokens: int
    chunk_tokens: int
    stored: PartitionVectorFacts
    failed: tuple[FailedChunk, ...] | NotGathered
    collapsed: tuple[SharedVector, ...] | NotGathered
    sample_tokens: SampleTokens | NotGathered | None
    drift: DriftFacts | NotGathered
    retrieval: RetrievalFacts | NotGathered
