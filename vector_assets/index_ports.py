"""What the upkeep of the indexes needs of its stores, and who watches it: protocols of a few methods."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .domain.partition_keys import PartitionKey
from .vector_index.build_progress import BuildProgress, BuildSample
from .vector_index.decision import IndexState
from .vector_index.forecast import BuildForecast
from .vector_index.recall import Answer, RecallQuery, VectorWindow


class IndexCatalog(Protocol):
    """Knows the indexes of each space, and which one searches read."""

    def state(self, slug: str) -> IndexState:
        """Count the vectors of a space, and list its indexes."""
        ...

    def record_build(self, slug: str, generation: int, vectors: int, seconds: float) -> None:
        """Record what a build has made. Searches do not read the index yet."""
        ...

    def use(self, slug: str, generation: int, ef_search: int, from_vectors: int, recall: float) -> None:
        """Let searches of so many vectors or more read this index from now on, and no other of the space."""
        ...

    def stop_using(self, slug: str) -> None:
        """Let searches compare with every vector from now on."""
        ...

    def forget(self, slug: str, generation: int) -> None:
        """Forget an index that is about to be dropped: no search begins to read it."""
        ...


class IndexBuilding(Protocol):
    """Builds and drops indexes, one process at a time for each space."""

    def held(self, slug: str) -> AbstractContextManager["IndexSession"]:
        """Hold the indexes of a space."""
        ...


class IndexSession(Protocol):
    """What holds the indexes of a space."""

    def create(self, generation: int, forecast: BuildForecast) -> Iterator[BuildSample]:
        """Build an index, and give how far it is. Whoever stops asking cancels the build."""
        ...

    def drop(self, generation: int) -> None:
        """Drop an index, whole or not."""
        ...


class RecallStore(Protocol):
    """Where the recall of an index is measured."""

    def sample(self, slug: str, vectors: int, limit: int, seed: int) -> list[tuple[PartitionKey, NDArray[np.float32]]]:
        """Draw vectors of a space that has so many, at most `limit` of each market."""
        ...

    def windows(self, slug: str) -> Iterator[VectorWindow]:
        """Read all current vectors of a space."""
        ...

    def answers(self, slug: str, generation: int, ef_search: int) -> Callable[[RecallQuery], Answer]:
        """Give what searches by this index, whether or not searches read it yet."""
        ...


class IndexListener(Protocol):
    """Sees the work on an index while it goes on."""

    def notice(self, line: str) -> None:
        """Something begins or has ended."""
        ...

    def warning(self, line: str) -> None:
        """Something is not as it should be; the work goes on."""
        ...

    def progress(self, progress: BuildProgress) -> None:
        """A build is so far."""
        ...
