"""How alike two embedding spaces see the chunks: the share of nearest neighbors that are the same in both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ..domain.spaces import Vectors

NEIGHBORS = 10
"""So many nearest chunks are compared."""


@dataclass(frozen=True, eq=False)
class PairedVectors:
    """Chunks with the vectors that two spaces have of the same text; `texts` only where they are asked for."""

    ids: Sequence[UUID]
    one: Vectors
    other: Vectors
    texts: Sequence[str] = ()


@dataclass(frozen=True)
class NeighborOverlap:
    """The mean share of nearest neighbors that both spaces have, over a sample of the chunks that both have.

    `neighbors` is how many nearest chunks were compared: ten, or fewer where there are no ten others. `share` is None
    where there is nothing to compare.
    """

    chunks: int
    sampled: int
    neighbors: int
    share: float | None


def neighbor_overlap(
    sample: PairedVectors, windows: Iterable[PairedVectors], neighbors: int = NEIGHBORS
) -> NeighborOverlap:
    """Search exactly, in each space by its own vectors, for the chunks that are nearest to each sampled one.

    The windows together have each chunk of both spaces once. Memory is bounded by the sample and a window.
    """
    rows = {id_: row for row, id_ in enumerate(sample.ids)}
    one, other = _Nearest(sample.one, neighbors), _Nearest(sample.other, neighbors)
    chunks = 0
    for window in windows:
        own = [(rows[id_], column) for column, id_ in enumerate(window.ids) if id_ in rows]
        one.see(window.one, own)
        other.see(window.other, own)
        chunks += len(window.ids)
    compared = max(0, min(neighbors, chunks - 1))
    if not compared or not rows:
        return NeighborOverlap(chunks, len(rows), compared, None)
    pairs = zip(one.places, other.places, strict=True)
    shared = [len((set(a) & set(b)) - {-1}) / compared for a, b in pairs]
    return NeighborOverlap(chunks, len(rows), compared, float(np.mean(shared)))


class _Nearest:
    """The places of the rows that are nearest to each query by cosine, among all rows seen; -1: too few were seen."""

    def __init__(self, queries: Vectors, neighbors: int) -> None:
        self._queries = _of_length_1(queries)
        self._neighbors = neighbors
        self._seen = 0
        self._scores = np.full((len(queries), neighbors), -np.inf, np.float32)
        self.places: NDArray[np.int64] = np.full((len(queries), neighbors), -1, np.int64)

    def see(self, rows: Vectors, own: Sequence[tuple[int, int]]) -> None:
        """Take rows into account, except for the pairs of `own`: a query, and the row that is the query itself."""
        scores = self._queries @ _of_length_1(rows).T
        for query, row in own:
            scores[query, row] = -np.inf
        places = np.broadcast_to(np.arange(self._seen, self._seen + len(rows)), scores.shape)
        places = np.where(np.isfinite(scores), places, -1)
        all_scores = np.concatenate([self._scores, scores], axis=1)
        best = np.argpartition(-all_scores, self._neighbors - 1, axis=1)[:, : self._neighbors]
        self._scores = np.take_along_axis(all_scores, best, axis=1)
        self.places = np.take_along_axis(np.concatenate([self.places, places], axis=1), best, axis=1)
        self._seen += len(rows)


def _of_length_1(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
