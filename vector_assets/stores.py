"""What a process reads and writes in its database: one store for each kind of row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from .storage.database import Database

if TYPE_CHECKING:
    from .storage.audit_facts import AuditFacts
    from .storage.chunk_terms import ChunkTerms
    from .storage.chunking import StoredChunking
    from .storage.company_names import CompanyNames
    from .storage.document_removal import DocumentRemoval
    from .storage.documents import PostgresDocumentStore
    from .storage.last_runs import LastRuns
    from .storage.leases import PostgresLeases
    from .storage.partition_counts import PartitionCounts
    from .storage.partition_status import PartitionStatusQueries
    from .storage.quarantine import Quarantine
    from .storage.rate_limits import PostgresRateLimits
    from .storage.searchable_chunks import SearchableChunks
    from .storage.spaces import SpaceRegistry
    from .storage.spending import Spending


class Stores(ABC):
    """The stores of one database, each made when it is first asked for and then kept. None of them needs a model."""

    @cached_property
    @abstractmethod
    def database(self) -> Database:
        """The database, its tables up to date."""

    @cached_property
    def documents(self) -> PostgresDocumentStore:
        """Where documents and their chunks are stored."""
        from .storage.documents import PostgresDocumentStore

        return PostgresDocumentStore(self.database)

    @cached_property
    def removal(self) -> DocumentRemoval:
        """How documents are removed."""
        from .storage.document_removal import DocumentRemoval

        return DocumentRemoval(self.database)

    @cached_property
    def coverage(self) -> PartitionStatusQueries:
        """How complete the partitions are."""
        from .storage.partition_status import PartitionStatusQueries

        return PartitionStatusQueries(self.database)

    @cached_property
    def last_runs(self) -> LastRuns:
        """What the last run of each partition did."""
        from .storage.last_runs import LastRuns

        return LastRuns(self.database)

    @cached_property
    def partition_counts(self) -> PartitionCounts:
        """The counts of each partition's chunks and vectors."""
        from .storage.partition_counts import PartitionCounts

        return PartitionCounts(self.database)

    @cached_property
    def quarantine(self) -> Quarantine:
        """Which chunks failed alone."""
        from .storage.quarantine import Quarantine

        return Quarantine(self.database)

    @cached_property
    def audit_facts(self) -> AuditFacts:
        """What the tables hold about a partition's chunks and vectors, for the audit."""
        from .storage.audit_facts import AuditFacts

        return AuditFacts(self.database)

    @cached_property
    def leases(self) -> PostgresLeases:
        """Which run may commit to each partition."""
        from .storage.leases import PostgresLeases

        return PostgresLeases(self.database)

    @cached_property
    def chunk_terms(self) -> ChunkTerms:
        """The terms of the chunks, by which they are found beside their vectors."""
        from .storage.chunk_terms import ChunkTerms

        return ChunkTerms(self.database)

    @cached_property
    def searchable_chunks(self) -> SearchableChunks:
        """What search asks of chunks besides vectors and terms."""
        from .storage.searchable_chunks import SearchableChunks

        return SearchableChunks(self.database)

    @cached_property
    def company_names(self) -> CompanyNames:
        """The names of the companies."""
        from .storage.company_names import CompanyNames

        return CompanyNames(self.database)

    @cached_property
    def spaces(self) -> SpaceRegistry:
        """The embedding spaces of the database."""
        from .storage.spaces import SpaceRegistry

        return SpaceRegistry(self.database)

    def rate_limits(self, per_minute: tuple[int | None, int | None], provider: str) -> PostgresRateLimits | None:
        """The limits of requests and tokens per minute that all processes share; None: neither is limited.

        Nor are they where nothing may be written: there a question is a request now and then, and may be refused.
        """
        from .storage.rate_limits import PostgresRateLimits

        is_limited = any(per_minute) and not self.database.read_only
        return PostgresRateLimits(self.database, provider, *per_minute) if is_limited else None

    @cached_property
    def spending(self) -> Spending:
        """What the models of servers have used."""
        from .storage.spending import Spending

        return Spending(self.database)

    @cached_property
    def chunking(self) -> StoredChunking:
        """How the database chunks documents."""
        from .storage.chunking import StoredChunking

        return StoredChunking(self.database)
