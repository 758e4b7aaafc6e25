"""The composition root: settings in, the real services out."""

from copy import copy
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Self

from sqlalchemy import URL

from .audit.chunk_audit import ChunkAudit
from .audit.drift_guard import DriftGuard
from .audit.vector_audit import AuditSettings, VectorAudit
from .domain.coverage import PartitionStatus, PendingPartition
from .domain.spaces import EmbeddingSpace
from .embedding.devices import openvino_serves
from .embedding.model_files import describe_space, find_model
from .embedding.openvino.embedder import OpenVINOEmbedder
from .embedding.token_counter import TokenCounter
from .embedding.torch_embedder import SentenceTransformerEmbedder
from .errors import EmbedderDrifted, NothingToSearch, WeightsChanged
from .ingestion.chunker import Chunker
from .ingestion.ingest import Ingestion
from .ingestion.landing_directory import LandingDirectory
from .search import Search
from .settings import Settings
from .storage.audit_facts import AuditFacts
from .storage.chunks import PostgresChunkStore
from .storage.database import Database
from .storage.database_url import parse_url, with_keepalives
from .storage.documents import PostgresDocumentStore
from .storage.embedded_server import start_embedded_server
from .storage.last_runs import LastRuns
from .storage.migrate import ensure_database, migrate
from .storage.partition_locks import PartitionLocks
from .storage.partition_status import PartitionStatusQueries
from .storage.quarantine import Quarantine
from .storage.reference_vectors import PostgresReferenceVectorStore
from .storage.retries import Retries
from .storage.spaces import SpaceRegistry
from .storage.vectors import PostgresVectorStore
from .vectorizer import Vectorizer


class Services:
    """The real services of one process, each made when it is first asked for and then kept.

    The database is there, with its tables, once `database` was asked for; the model is loaded once a text is embedded.

    Args:
        settings: which database, which model.
        retries: how long a database that was there is waited for, and what ends the wait.
    """

    def __init__(self, settings: Settings, retries: Retries | None = None) -> None:
        self.settings = settings
        self.retries = retries or Retries()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the database connections back. The embedded server stops with the last process that uses it."""
        if "database" in self.__dict__:
            self.database.close()

    @cached_property
    def url(self) -> URL:
        """The product's database on a running server; it may not exist yet."""
        if self.settings.database_url is not None:
            return parse_url(self.settings.database_url.get_secret_value())
        return start_embedded_server(self.settings.home)

    @cached_property
    def database(self) -> Database:
        """The product's database, its tables up to date."""
        ensure_database(self.url, self.retries)
        migrate(self.url, self.retries)
        return Database(self.url, self.retries, reached=True)

    @cached_property
    def dagster_url(self) -> URL:
        """Dagster's database beside the product's, created if it is missing; the driver is the one Dagster speaks."""
        url = self.url.set(database=f"{self.url.database}_dagster")
        ensure_database(url, self.retries)
        return with_keepalives(url).set(drivername="postgresql+psycopg2")

    @cached_property
    def documents(self) -> PostgresDocumentStore:
        """Where documents and their chunks are stored."""
        return PostgresDocumentStore(self.database)

    @cached_property
    def coverage(self) -> PartitionStatusQueries:
        """How complete the partitions are."""
        return PartitionStatusQueries(self.database)

    @cached_property
    def last_runs(self) -> LastRuns:
        """What the last run of each partition did."""
        return LastRuns(self.database)

    @cached_property
    def quarantine(self) -> Quarantine:
        """Which chunks failed alone."""
        return Quarantine(self.database)

    @cached_property
    def audit_facts(self) -> AuditFacts:
        """What the tables hold about a partition's chunks and vectors, for the audit."""
        return AuditFacts(self.database)

    @property
    def chunks(self) -> PostgresChunkStore:
        """Chunks, pending or not in the configured model's space."""
        return PostgresChunkStore(self.database, self.space.slug)

    @cached_property
    def partition_locks(self) -> PartitionLocks:
        """Locks that give a partition to one run at a time."""
        return PartitionLocks(self.database)

    @cached_property
    def spaces(self) -> SpaceRegistry:
        """The embedding spaces of the database."""
        return SpaceRegistry(self.database)

    @cached_property
    def space(self) -> EmbeddingSpace:
        """The configured model's embedding space."""
        return self.spaces.newest(self.embedder.space)

    @cached_property
    def embedder(self) -> OpenVINOEmbedder | SentenceTransformerEmbedder:
        """The configured model, not loaded yet: by OpenVINO on CPUs, by torch elsewhere."""
        settings = self.settings
        folder = find_model(settings.embedding_model)
        space = describe_space(folder, settings.embedding_document_prompt, settings.embedding_query_prompt)
        counter = TokenCounter(folder, space)
        by_torch = SentenceTransformerEmbedder(
            folder, space, counter, settings.embedding_device, settings.embedding_precision
        )
        if not openvino_serves(settings.embedding_backend, settings.embedding_device):
            return by_torch
        cache = settings.home / "models"
        return OpenVINOEmbedder(folder, space, counter, cache, settings.embedding_precision, by_torch)

    def status(self) -> list[PartitionStatus]:
        """Every partition that has chunks, by key, seen from the active space."""
        active = self.spaces.active()
        return self.coverage.status(active.slug if active else None)

    def pending_partitions(self) -> list[PendingPartition]:
        """Partitions with chunks that have no current vector of the configured model, by key."""
        return self.coverage.pending_partitions(self.space.slug)

    @cached_property
    def landing(self) -> LandingDirectory:
        """Where filings arrive."""
        return LandingDirectory(self.settings.landing_dir)

    @cached_property
    def ingestion(self) -> Ingestion:
        """The landing directory's way into documents and chunks."""
        counter = self.embedder.counter
        room = counter.room_for_text - max(self.embedder.space.max_tokens - self.settings.chunk_tokens, 0)
        chunker = Chunker(counter.tokenizer, room)
        return Ingestion(self.landing, self.documents, self.documents, chunker)

    def vectorizer(self, batch_size: int | None = None) -> Vectorizer:
        """The loop into the configured model's space, which becomes the active one.

        Raises:
            WeightsChanged: the space is known with other weights.
            InvalidSetting: the batch size is below 1.
        """
        size = self.settings.embedding_batch_size if batch_size is None else batch_size
        vectors = PostgresVectorStore(self.database, self.space.slug)
        timeout = self.settings.embed_timeout_seconds
        vectorizer = Vectorizer(self.chunks, vectors, self.embedder, size, timeout, self.drift.check)
        self.spaces.activate(self.space)
        return vectorizer

    @cached_property
    def drift(self) -> DriftGuard:
        """The guard that compares the embedder with the vectors of the space."""
        return self._drift_guard(self.space)

    def _drift_guard(self, space: EmbeddingSpace) -> DriftGuard:
        reference_vectors = PostgresReferenceVectorStore(self.database)
        return DriftGuard(self.embedder, reference_vectors, space, self.settings.quality_limits.min_drift_cosine)

    @property
    def vector_audit(self) -> VectorAudit:
        """The audit of the partitions' vectors in the configured model's space."""
        settings = self.settings
        needed = AuditSettings(settings.quality_limits, settings.chunk_tokens, settings.embed_timeout_seconds)
        return VectorAudit(self.audit_facts, self.quarantine, self.embedder, self.space, self.drift, needed)

    @property
    def chunk_audit(self) -> ChunkAudit:
        """The audit of the partitions' chunks."""
        tokens_limit = min(self.settings.chunk_tokens, self.embedder.space.max_tokens)
        return ChunkAudit(self.audit_facts, self.embedder, self.settings.quality_limits, tokens_limit)

    def has_drifted(self) -> bool:
        """Say whether a run would stop because the configured model no longer produces the vectors of its space."""
        try:
            if self.spaces.is_registered(self.space):
                self.drift.check()
        except (WeightsChanged, EmbedderDrifted):
            return True
        return False

    def accept_drift(self) -> Self:
        """Give the services whose space the configured model's vectors fit in: these, if the model has not drifted.

        Otherwise the model gets a new generation of its space, in which every chunk is pending. The services of before
        stay as they are; both share the database and the model.
        """
        newest = self.spaces.newest(self.embedder.space)
        services = self if newest == self.space else self._in_space(newest)
        if not services.has_drifted():
            return services
        following = replace(newest, generation=newest.generation + 1)
        self.spaces.activate(following)
        return self._in_space(following)

    def _in_space(self, space: EmbeddingSpace) -> Self:
        services = copy(self)
        services.space = space
        services.drift = self._drift_guard(space)
        return services

    @property
    def search(self) -> Search:
        """Search in the configured model's space.

        Raises:
            NothingToSearch: no run has put a vector there.
            WeightsChanged: those that are there were made with other weights.
        """
        space = self.space
        if not self.spaces.is_registered(space):
            raise NothingToSearch(space.model)
        return Search(self.embedder, PostgresVectorStore(self.database, space.slug))
