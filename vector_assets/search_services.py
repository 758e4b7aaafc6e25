"""What searches, and what keeps searches fast: the part of the composition root that needs a space's model at most."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from .open_stores import OpenStores

if TYPE_CHECKING:
    from .domain.spaces import EmbeddingSpace
    from .embedders import AnyEmbedder
    from .embedding.cross_encoder import CrossEncoderReranker
    from .index_upkeep import IndexUpkeep
    from .search import FilingsSearch, Searcher


class SearchServices(OpenStores):
    """Search in the space that serves or in any other, and the upkeep of the indexes."""

    @cached_property
    def reranker(self) -> CrossEncoderReranker | None:
        """The second stage of a search; None unless the settings name one."""
        from .embedding.cross_encoder import CrossEncoderReranker

        settings = self.settings
        if settings.reranker is None:
            return None
        return CrossEncoderReranker(settings.reranker, settings.models_dir, settings.embedding_device)

    @cached_property
    def search(self) -> FilingsSearch:
        """Search in whatever space serves at the moment of a question."""
        from .search import FilingsSearch, Search

        return FilingsSearch(
            Search(self.spaces, self._searcher, self.chunk_terms, self.reranker), self.searchable_chunks
        )

    def search_in(self, space: EmbeddingSpace) -> FilingsSearch:
        """Search in one space, whatever serves."""
        from .search import FilingsSearch, OneSpace, Search

        return FilingsSearch(
            Search(OneSpace(space), self._searcher, self.chunk_terms, self.reranker), self.searchable_chunks
        )

    def _searcher(self, space: EmbeddingSpace) -> Searcher:
        from .embedders import require_recipe
        from .search import Searcher
        from .storage.vectors import PostgresVectorStore

        embedder = self._embedder_of(space)
        require_recipe(embedder, space)
        return Searcher(embedder, PostgresVectorStore(self.database, space.slug, self.settings.index_from_vectors))

    @property
    def index_upkeep(self) -> IndexUpkeep:
        """Plans, builds, checks and drops the indexes of the spaces."""
        from .index_upkeep import IndexLimits, IndexUpkeep
        from .storage.index_builds import IndexBuilds
        from .storage.recall_samples import RecallSamples
        from .storage.vector_indexes import VectorIndexes

        settings, database = self.settings, self.database
        limits = IndexLimits(
            settings.index_from_vectors,
            int(settings.index_memory_gib * 2**30),
            settings.quality_limits.min_recall_at_10,
        )
        samples = RecallSamples(database, settings.index_from_vectors)
        return IndexUpkeep(
            VectorIndexes(database),
            IndexBuilds(database),
            samples,
            lambda space: self._searcher(space).embedder,
            limits,
        )

    @abstractmethod
    def _embedder_of(self, space: EmbeddingSpace) -> AnyEmbedder:
        """Give the model of a space."""
