"""Decide whether an index pays, what is to be done about it, and which searches it answers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .forecast import MeasuredBuild

INDEX_FROM = 25_000
"""From so many vectors on, a search is faster by an index: comparing each of these takes some 40 ms."""

# An index takes up more and more room for each vector, as vectors are replaced. From so many times as much as when it
# was built on, it is built again: a search then reads as many pages for half as many vectors.
_MOST_BLOAT = 1.5


@dataclass(frozen=True)
class VectorIndex:
    """An index over the vectors of a space. `generation` numbers those of a space; a search names the one it reads.

    `is_valid` is false for what a killed build has left, or while one is at work. `ef_search` is None unless searches
    use it. The size and the vectors when it was built, and how long that took, are None where nobody recorded them.
    """

    generation: int
    is_valid: bool
    bytes: int
    ef_search: int | None = None
    recall: float | None = None
    checked_at: datetime | None = None
    built_vectors: int | None = None
    built_bytes: int | None = None
    build_seconds: float | None = None


@dataclass(frozen=True)
class IndexState:
    """The vectors of a space, its pending chunks, and its indexes by generation. `pgvector` is the version there."""

    vectors: int
    pending: int
    pgvector: str
    indexes: tuple[VectorIndex, ...]

    @property
    def in_use(self) -> VectorIndex | None:
        """The index that searches read; None: they compare with every vector."""
        return next((item for item in self.indexes if item.is_valid and item.ef_search is not None), None)

    @property
    def newest(self) -> VectorIndex | None:
        """The index to check: the one in use, else one that is whole."""
        return self.in_use or next((item for item in self.indexes if item.is_valid), None)

    @property
    def next_generation(self) -> int:
        """The smallest number that no index has."""
        taken = {item.generation for item in self.indexes}
        return next(number for number in range(1, len(taken) + 2) if number not in taken)

    @property
    def measured(self) -> MeasuredBuild | None:
        """The largest build that was measured in the space."""
        builds = [
            MeasuredBuild(item.built_vectors, item.build_seconds)
            for item in self.indexes
            if item.built_vectors and item.build_seconds
        ]
        return max(builds, key=lambda build: build.vectors, default=None)


class IndexStep(StrEnum):
    """What is to be done about the index of a space."""

    NO_INDEX = "no index"
    """Few vectors: to compare with each is fast."""
    WAIT = "wait"
    """The space is being filled: an index is built once, after the load."""
    BUILD = "build"
    REBUILD = "rebuild"
    CHECK = "check"


def next_step(state: IndexState, from_vectors: int, rebuild: bool = False) -> IndexStep:
    """Decide what is to be done, if an index pays from so many vectors on. `rebuild`: somebody wants a new one."""
    present = state.newest
    if present is None and state.vectors < from_vectors:
        return IndexStep.NO_INDEX
    if present is None:
        return IndexStep.WAIT if state.pending > state.vectors and not rebuild else IndexStep.BUILD
    return IndexStep.REBUILD if rebuild or bloat(present, state.vectors) > _MOST_BLOAT else IndexStep.CHECK


def bloat(index: VectorIndex, vectors: int) -> float:
    """Give how many times as large as when it was built the index is, for each vector; 1 where nothing was recorded."""
    if not (index.built_bytes and index.built_vectors and vectors):
        return 1.0
    return (index.bytes / vectors) / (index.built_bytes / index.built_vectors)


def index_pays(rows: int, from_vectors: int) -> bool:
    """Say whether a search over so many vectors, those that its filter leaves, is faster by an index."""
    return rows >= from_vectors
