"""The vectors that two spaces have of the same texts, in memory."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np

from vector_assets.domain.spaces import Vectors
from vector_assets.quality.neighbor_overlap import PairedVectors

from .database import MemoryDatabase


class MemorySpacePairs:
    """The `SpacePairs` port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def sample(self, one: str, other: str, limit: int) -> PairedVectors:
        """The first ones."""
        ids = self._ids(one, other)[:limit]
        texts = [self._database.chunks[id_].text for id_ in ids]
        return PairedVectors(ids, self._vectors(one, ids), self._vectors(other, ids), texts)

    def windows(self, one: str, other: str) -> Iterator[PairedVectors]:
        """All in one."""
        if ids := self._ids(one, other):
            yield PairedVectors(ids, self._vectors(one, ids), self._vectors(other, ids))

    def _ids(self, one: str, other: str) -> list[UUID]:
        ours, theirs = self._database.vectors[one], self._database.vectors[other]
        both = [id_ for id_ in ours if id_ in theirs and ours[id_].content_hash == theirs[id_].content_hash]
        return sorted(both)

    def _vectors(self, slug: str, ids: Sequence[UUID]) -> Vectors:
        rows = [self._database.vectors[slug][id_].embedding.astype(np.float32) for id_ in ids]
        return np.stack(rows) if rows else np.empty((0, 0), np.float32)
