"""The composition root: settings in, the real services out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self

from .domain.spaces import LIVE, EmbeddingSpace
from .errors import (
    AnotherSpaceFills,
    EmbedderDrifted,
    ModelError,
    ModelTooLarge,
    NoSpaceToFill,
    SpaceNotLive,
    WeightsChanged,
)
from .search_services import SearchServices
from .settings import Settings

if TYPE_CHECKING:
    from .audit.chunk_audit import ChunkAudit
    from .audit.drift_guard import DriftGuard
    from .audit.vector_audit import VectorAudit
    from .domain.coverage import PartitionStatus, PendingPartition
    from .domain.partition_keys import PartitionKey
    from .embedders import AnyEmbedder
    from .embedding.openvino.embedder import OpenVINOEmbedder
    from .embedding.prompts import Prompts
    from .embedding.remote.answer_journal import FileAnswerJournal
    from .embedding.torch_embedder import SentenceTransformerEmbedder
    from .estimates.backfill_plan import BackfillPlan
    from .ingestion.chunker import Chunker
    from .ingestion.ingest import Ingestion
    from .ingestion.landing_directory import LandingDirectory
    from .search import TermFiller
    from .space_changes import SpaceChanges
    from .storage.chunks import PostgresChunkStore
    from .vectorizer import Vectorizer


class Services(SearchServices):
    """The real services of one process, each made when it is first asked for and then kept.

    The database is there, with its tables, once `database` was asked for; the model is loaded once a text is embedded.
    """

    _likely: OpenVINOEmbedder | None = None

    @property
    def chunks(self) -> PostgresChunkStore:
        """Chunks, pending or not in the configured model's space."""
        from .storage.chunks import PostgresChunkStore

        return PostgresChunkStore(self.database, self.space.slug)

    @property
    def term_filler(self) -> TermFiller:
        """Fills in the terms of chunks that are new or have changed."""
        from .search import TermFiller

        return TermFiller(self.chunk_terms)

    @cached_property
    def space(self) -> EmbeddingSpace:
        """The embedding space of this process: that of its model."""
        return self.spaces.newest(self.embedder.space)

    @cached_property
    def embedder(self) -> AnyEmbedder:
        """The model of this process, not loaded yet: EMBEDDING_MODEL, else the one that serves, else the default one.

        Prompts are those of the settings, else of the space that serves, else of the model's files.
        """
        from .embedders import remote_embedder, settings_of_space
        from .embedding.model_files import default_model

        settings = self.settings
        if settings.asks_a_server:
            limits = partial(self.rate_limits, settings.limits_per_minute)
            return remote_embedder(settings, self.spaces.all(), limits, self.retries.pause)
        model, prompts = settings.embedding_model, (settings.embedding_document_prompt, settings.embedding_query_prompt)
        serving = None if model else self.spaces.serving()
        # With EMBEDDING_PROVIDER=local, what serves is followed unless a server makes it.
        if serving is None or (serving.provider and settings.embedding_provider):
            return self._embedder(model or default_model(settings.models_dir), *prompts)
        if serving.provider:
            return self._configured_for(settings_of_space(settings, serving)).embedder
        document_prompt, query_prompt = prompts
        return self._embedder(
            serving.source,
            serving.document_prompt if document_prompt is None else document_prompt,
            serving.query_prompt if query_prompt is None else query_prompt,
        )

    @property
    def prompts(self) -> Prompts:
        """The prompts that the settings, the model's files or its family name, and which of these did."""
        from .embedders import prompts_of

        return prompts_of(self.settings, self.embedder)

    def begin_loading(self) -> None:
        """Load a model beside what is done next, where that is the one that will probably be asked.

        It is the one that the settings name, else the one that new databases get, if this home has had it before.
        """
        from .embedders import likely_embedder

        self._likely = likely_embedder(self.settings)
        if self._likely is not None:
            self._likely.begin_loading()

    def _embedder(
        self, model: str, document_prompt: str | None, query_prompt: str | None
    ) -> OpenVINOEmbedder | SentenceTransformerEmbedder:
        from .embedders import local_embedder

        embedder = local_embedder(self.settings, model, document_prompt, query_prompt)
        is_likely = self._likely is not None and self._likely.space == embedder.space
        return self._likely if self._likely is not None and is_likely else embedder

    def status(self, space: EmbeddingSpace | None = None) -> list[PartitionStatus]:
        """Every partition that has chunks, by key, seen from a space; None: from the serving one."""
        space = space or self.spaces.serving()
        return self.coverage.status(space.slug if space else None)

    def pending_partitions(self) -> list[PendingPartition]:
        """Partitions with pending chunks in the space of this process, by key.

        Raises:
            SpaceNotLive: that space is not kept up to date.
            WeightsChanged: it is known with other weights.
        """
        self.require_live()
        return self.coverage.pending_partitions(self.space.slug)

    def require_live(self) -> None:
        """Refuse to work in a space that is not kept up to date. In a database without spaces, any may be the first.

        Raises:
            SpaceNotLive: the space is retired, or the database has others but not this one.
            WeightsChanged: it is known with other weights.
        """
        status = self.spaces.status(self.space)
        if status in LIVE:
            return
        serving = self.spaces.serving()
        if status is not None or self.spaces.all():
            raise SpaceNotLive(self.space.source, status, serving.source if serving else None)

    @cached_property
    def landing(self) -> LandingDirectory:
        """Where filings arrive."""
        from .ingestion.landing_directory import LandingDirectory

        return LandingDirectory(self.settings.landing_dir)

    @property
    def ingestion(self) -> Ingestion:
        """The landing directory's way into documents and chunks."""
        from .ingestion.ingest import Ingestion

        return Ingestion(self.landing, self.documents, self.documents, lambda: self.chunker, self.chunking.identity)

    @cached_property
    def configured_chunker(self) -> Chunker:
        """The chunker that the settings and the model of this process make."""
        from .ingestion.chunker import Chunker

        counter = self.embedder.counter
        room = counter.room_for_text - max(self.embedder.space.max_tokens - self.settings.chunk_tokens, 0)
        return Chunker(counter.tokenizer, room)

    @cached_property
    def chunker(self) -> Chunker:
        """The chunker of the database, whatever is configured here. A database without one gets the configured one."""
        from .ingestion.chunker import Chunker

        configured = self.configured_chunker
        stored = self.chunking.identity()
        return configured if stored == configured.identity else Chunker.of(self.chunking.registered(configured.recipe))

    def use_configured_chunking(self) -> None:
        """Let the database chunk as this process is configured: its documents are to be chunked again."""
        self.chunking.replace(self.configured_chunker.recipe)
        self.chunker = self.configured_chunker

    def vectorizer(self, batch_size: int | None = None, lease: int | None = None) -> Vectorizer:
        """The loop into the space of this process, which must be live; it commits under the lease, if there is one.

        In a database without spaces it becomes the serving one, once the model is loaded and has embedded a text.

        Raises:
            SpaceNotLive: it is not kept up to date.
            WeightsChanged: it is known with other weights.
            InvalidSetting: the batch size is below 1.
        """
        from .embedders import default_batch_size
        from .storage.vectors import PostgresVectorStore
        from .vectorizer import Vectorizer

        self.require_live()
        size = default_batch_size(self.settings, self.embedder) if batch_size is None else batch_size
        vectors = PostgresVectorStore(self.database, self.space.slug, lease=lease)
        timeout = self.settings.embed_timeout_seconds
        # A model of a server may be exchanged while a run goes on; one of this process cannot.
        check_again = self.drift.check_again if self.space.provider else None
        stops = self.retries.ended, self.database.cancel
        journals = self._answer_journal if self.space.provider else None
        checks = self.drift.check, check_again
        return Vectorizer(self.chunks, vectors, self.embedder, size, timeout, *checks, *stops, journals)

    def _answer_journal(self, name: str) -> FileAnswerJournal:
        from .embedding.remote.answer_journal import FileAnswerJournal

        space = self.space
        return FileAnswerJournal(self.settings.home / "answers", f"{space.slug}-{name}", space.dimension)

    def plan(self, chunks: Mapping[PartitionKey, int], statuses: Sequence[PartitionStatus]) -> BackfillPlan:
        """Plan the embedding of so many chunks of each partition, with its cost where a server embeds them.

        Where the model has made no run yet, a trial of some seconds tells what it will take.
        """
        from .estimates.backfill_plan import plan_backfill
        from .plan_trials import with_trial
        from .server_costs import with_costs
        from .storage.chunk_texts import PostgresChunkTexts

        plan = plan_backfill(chunks, statuses)
        if plan.tokens is None:
            plan = with_trial(
                plan, self.embedder, PostgresChunkTexts(self.database), self.settings.embed_timeout_seconds
            )
        return with_costs(plan, self.embedder)

    @cached_property
    def drift(self) -> DriftGuard:
        """The guard that compares the embedder with the vectors of the space, and registers the first space."""
        return self._drift_guard(self._register_first)

    def _register_first(self, space: EmbeddingSpace) -> None:
        """Register the space if it may be the first one; another process may have registered its own meanwhile."""
        self.spaces.register_first(space)
        if self.spaces.status(space) is None:
            self.require_live()

    def _drift_guard(self, register: Callable[[EmbeddingSpace], None]) -> DriftGuard:
        from .audit.drift_guard import DriftGuard
        from .storage.reference_vectors import PostgresReferenceVectorStore

        reference_vectors = PostgresReferenceVectorStore(self.database)
        limit = self.settings.quality_limits.min_drift_cosine
        return DriftGuard(self.embedder, reference_vectors, self.space, limit, register)

    @property
    def vector_audit(self) -> VectorAudit:
        """The audit of the partitions' vectors in the configured model's space."""
        from .audit.vector_audit import AuditSettings, VectorAudit

        settings = self.settings
        needed = AuditSettings(settings.quality_limits, settings.chunk_tokens, settings.embed_timeout_seconds)
        return VectorAudit(self.audit_facts, self.quarantine, self.embedder, self.space, self.drift, needed)

    @property
    def chunk_audit(self) -> ChunkAudit:
        """The audit of the partitions' chunks."""
        from .audit.chunk_audit import ChunkAudit
        from .storage.chunk_texts import PostgresChunkTexts

        store = PostgresChunkTexts(self.database)
        tokens_limit = min(self.settings.chunk_tokens, self.embedder.space.max_tokens)
        return ChunkAudit(store, self.embedder, self.settings.quality_limits, tokens_limit)

    @cached_property
    def space_changes(self) -> SpaceChanges:
        """Compare spaces, and change which one serves."""
        from .audit.space_audit import SpaceAudit
        from .space_changes import SpaceChanges
        from .storage.reference_vectors import PostgresReferenceVectorStore
        from .storage.space_pairs import PostgresSpacePairs

        pairs, reference_vectors = PostgresSpacePairs(self.database), PostgresReferenceVectorStore(self.database)
        limit = self.settings.quality_limits.min_drift_cosine
        audit = SpaceAudit(pairs, reference_vectors, self._searcher, self.chunk_terms, limit)
        return SpaceChanges(self.spaces, audit)

    def with_model(self, model: str) -> Self:
        """Give services of another model over the same database. Its prompts are the settings', else its files'."""
        return self._configured_for(self.settings.model_copy(update={"embedding_model": model}))

    def _configured_for(self, settings: Settings) -> Self:
        services = copy(self)
        services.settings, services.database = settings, self.database
        for name in ("embedder", "space", "drift", "configured_chunker", "search", "space_changes"):
            services.__dict__.pop(name, None)
        return services

    def in_space(self, space: EmbeddingSpace) -> Self:
        """Give services that work in a registered space, with its model; these themselves, if it is theirs."""
        from .embedders import settings_of_space

        return self if space == self.space else self._configured_for(settings_of_space(self.settings, space))

    @property
    def in_serving_space(self) -> Self:
        """Services that work in the serving space. Before the first run, these may make it.

        Raises:
            SpaceNotLive: this process is configured for a space that is not kept up to date.
            WeightsChanged: its space is known with other weights.
        """
        self.require_live()
        serving = self.spaces.serving()
        return self if serving is None else self.in_space(serving)

    @property
    def in_filling_space(self) -> Self:
        """Services that work in the space that is filled beside the serving one.

        Raises:
            NoSpaceToFill: there is none.
        """
        filling = self.spaces.filling()
        if filling is None:
            raise NoSpaceToFill
        return self.in_space(filling)

    def load_embedder(self) -> None:
        """Load the model.

        Raises:
            ModelTooLarge: it does not fit the memory.
        """
        try:
            self.embedder.load()
        except MemoryError as error:
            raise ModelTooLarge(self.embedder.space.model, error) from error

    def renew_space(self) -> None:
        """Load the model. If its weights or vectors are no longer those of its space, work in the next generation.

        Raises:
            AnotherSpaceFills: its space could not be added now.
            EmbedderBroken: the model fails on any text.
            ModelTooLarge: it does not fit the memory.
        """
        self.load_embedder()
        if self._has_changed():
            self.space = replace(self.space, generation=self.space.generation + 1)
        other = self.spaces.filling()
        if other is not None and self.spaces.status(self.space) not in LIVE:
            raise AnotherSpaceFills(other.slug, self.space.model)

    def add_space(self) -> EmbeddingSpace:
        """Register the space of this process as filling, and give it. The model is loaded and tried before.

        Raises:
            AnotherSpaceFills: one at a time.
            EmbedderBroken: the model fails on any text.
        """
        self.renew_space()
        self.drift = self._drift_guard(self.spaces.add)
        self.drift.check()
        return self.space

    def _has_changed(self) -> bool:
        try:
            if self.spaces.status(self.space) is not None:
                self.drift.check()
        except (WeightsChanged, EmbedderDrifted):
            return True
        return False

    def _embedder_of(self, space: EmbeddingSpace) -> AnyEmbedder:
        """Give the model of this process where the space is its own, else that of the space."""
        from .embedders import settings_of_space

        try:
            if space.slug in {self.embedder.space.slug, self.space.slug}:
                return self.embedder
        except ModelError:
            pass  # the model of this process is missing, which is no reason not to look into another space
        return self._configured_for(settings_of_space(self.settings, space)).embedder
