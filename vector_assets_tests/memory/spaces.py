"""Embedding spaces in memory."""

from dataclasses import replace

from vector_assets.domain.spaces import EmbeddingSpace
from vector_assets.errors import WeightsChanged

from .database import MemoryDatabase, SpaceRow


class MemorySpaceRegistry:
    """What `SpaceRegistry` does."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def active(self) -> EmbeddingSpace | None:
        """None before the first run."""
        slug = self._database.active
        return self._database.spaces[slug].space if slug else None

    def newest(self, space: EmbeddingSpace) -> EmbeddingSpace:
        """Unchanged if no generation is registered."""
        with self._database.lock:
            known = [row.space.generation for row in self._database.spaces.values() if _recipe(row.space, space)]
        return replace(space, generation=max(known)) if known else space

    def is_registered(self, space: EmbeddingSpace) -> bool:
        """Refuses a space that is known with other weights."""
        row = self._database.spaces.get(space.slug)
        if row is not None and row.space.weights_digest != space.weights_digest:
            raise WeightsChanged(space.model, row.space.weights_digest, space.weights_digest)
        return row is not None

    def activate(self, space: EmbeddingSpace) -> None:
        """The chunks are current if they have a current vector in this space."""
        with self._database.lock:
            if not self.is_registered(space):
                self._database.spaces[space.slug] = SpaceRow(space)
                self._database.vectors[space.slug] = {}
            if self._database.active != space.slug:
                self._database.active = space.slug
                self._recompute_vectorized_at(space.slug)

    def _recompute_vectorized_at(self, slug: str) -> None:
        for chunk in self._database.chunks.values():
            row = self._database.vectors[slug].get(chunk.id)
            is_current = row and (row.content_hash, row.partition) == (chunk.content_hash, chunk.partition)
            chunk.vectorized_at = row.created_at if row and is_current else None


def _recipe(one: EmbeddingSpace, other: EmbeddingSpace) -> bool:
    names = ("model", "revision", "pooling", "document_prompt", "query_prompt", "dimension")
    return all(getattr(one, name) == getattr(other, name) for name in names)
