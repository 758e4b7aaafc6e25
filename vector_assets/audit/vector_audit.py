"""Gather the facts about a partition's vectors after a run: from the tables, and by embedding a few chunks again."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from ..domain.partition_keys import PartitionKey
from ..domain.quarantine import FailedChunk
from ..domain.spaces import EmbeddingSpace
from ..errors import EmbedderDrifted
from ..ports import Embedder, QuarantineList, VectorFactStore
from ..quality.check_runner import CheckResults, NotGathered, not_checked, run_checks
from ..quality.limits import QualityLimits
from ..quality.partition_facts import NearestChunk, PartitionVectorFacts, SharedVector
from ..quality.scripts import script_of
from ..quality.vector_checks import VECTOR_CHECKS, found_itself
from ..quality.vector_facts import AuditedRun, DriftFacts, RetrievalFacts, SampleTokens, VectorFacts
from ..quality.vectors import UNIT_NORM, seen_as
from ..translation import translate
from ..vectorizer.embed_deadline import EmbedDeadline
from ..vectorizer.thread_stages import run_in_thread
from .drift_guard import DriftGuard
from .re_embedding import chunks_to_try, embed_again

logger = logging.getLogger(__name__)

Fact = TypeVar("Fact")

_FAILED_EXAMPLES = 10


@dataclass(frozen=True)
class AuditSettings:
    """What the audit needs of the settings."""

    limits: QualityLimits
    chunk_tokens: int
    embed_timeout_seconds: float


@dataclass(frozen=True)
class VectorAudit:
    """Audits the partitions of one embedding space."""

    store: VectorFactStore
    quarantine: QuarantineList
    embedder: Embedder
    space: EmbeddingSpace
    drift: DriftGuard
    settings: AuditSettings

    def results(self, partition: PartitionKey, run: AuditedRun) -> CheckResults:
        """Gather the facts and judge them. What cannot be gathered is a warning of the checks that need it."""
        try:
            facts = self.facts(partition, run)
        except Exception as error:
            message = translate("the facts about the vectors of {partition} could not be gathered", partition=partition)
            logger.warning(message, exc_info=True)
            return not_checked(VECTOR_CHECKS, error)
        return run_checks(VECTOR_CHECKS, facts)

    def facts(self, partition: PartitionKey, run: AuditedRun) -> VectorFacts:
        """Gather the facts of a partition after a run.

        Raises:
            DatabaseError: the partition could not be read.
        """
        slug = self.space.slug
        drift = _gather(self._drift)  # first, because it registers the first space, whose table is read below
        stored = self.store.of_vectors(partition, slug, run.report.run_id, run.moment, UNIT_NORM.tolerance)
        return VectorFacts(
            partition=partition,
            run=run,
            limits=self.settings.limits,
            max_tokens=self.space.max_tokens,
            chunk_tokens=self.settings.chunk_tokens,
            stored=stored,
            failed=_gather(lambda: self._failed(partition, stored)),
            collapsed=_gather(lambda: self._collapsed(stored)),
            sample_tokens=_gather(lambda: self._sample_tokens(run, stored)),
            drift=drift,
            retrieval=_gather(lambda: self._retrieval(partition, run, stored)),
        )

    def _failed(self, partition: PartitionKey, stored: PartitionVectorFacts) -> tuple[FailedChunk, ...]:
        if not stored.quarantined and not stored.failed_once:
            return ()
        return tuple(self.quarantine.chunks(self.space.slug, [partition], _FAILED_EXAMPLES))

    def _collapsed(self, stored: PartitionVectorFacts) -> tuple[SharedVector, ...]:
        """Texts that are equal for the model, as 3 % of real chunks are, rightly share a vector."""

        def differ(shared: SharedVector) -> bool:
            first, second = self.embedder.tokenize([shared.first.text, shared.second.text])
            return seen_as(first) != seen_as(second)

        return tuple(shared for shared in stored.shared_vectors if differ(shared))

    def _sample_tokens(self, run: AuditedRun, stored: PartitionVectorFacts) -> SampleTokens | None:
        """A run that embedded most of the partition has counted enough tokens itself."""
        if 2 * run.report.vectorized_count >= stored.current or not stored.sample:
            return None
        texts = [chunk.text for chunk in stored.sample]
        tokens = self.embedder.tokenize(texts)
        embedded, unknown = sum(item.tokens_embedded for item in tokens), sum(item.unknown_tokens for item in tokens)
        return SampleTokens(len(texts), embedded, unknown, script_of("\n".join(texts)))

    def _drift(self) -> DriftFacts:
        """Take the comparison that the run has made; if it embedded nothing, make it now.

        Raises:
            EmbedderHung: the embedder does not answer.
        """
        deadline = self._deadline()

        def check() -> None:
            with deadline.embedder_call():
                self.drift.check()

        if self.drift.result is None:
            try:
                run_in_thread(check, deadline)
            except EmbedderDrifted as error:
                return DriftFacts(error.cosine, self.embedder.device, error)
        assert self.drift.result is not None
        return DriftFacts(self.drift.result.lowest, self.embedder.device)

    def _retrieval(self, partition: PartitionKey, run: AuditedRun, stored: PartitionVectorFacts) -> RetrievalFacts:
        tried = chunks_to_try(stored.sample, run.report.processed)
        if not tried:
            return RetrievalFacts((), 0)
        vectors = embed_again(self.embedder, tried, self._deadline())
        found = self.store.nearest(
            partition, self.space.slug, run.report.run_id, [chunk.id for chunk in tried], vectors
        )
        from_run = sum(chunk.from_run for chunk in tried)
        return RetrievalFacts(tuple(found), from_run, self._names_of_lost(found))

    def _names_of_lost(self, found: Sequence[NearestChunk]) -> dict[UUID, str]:
        lost = [item for item in found if not found_itself(item, self.settings.limits.min_retrieval_cosine)]
        if not lost:
            return {}
        chunks = self.store.named([id_ for item in lost for id_ in (item.chunk_id, item.nearest_id)])
        return {id_: chunk.name for id_, chunk in chunks.items()}

    def _deadline(self) -> EmbedDeadline:
        return EmbedDeadline(self.space.model, self.settings.embed_timeout_seconds)


def _gather(fact: Callable[[], Fact]) -> Fact | NotGathered:
    """Gather one fact now. A failure is logged with its check, which alone gets a warning."""
    try:
        return fact()
    except Exception as error:  # noqa: BLE001
        return NotGathered(error)
