"""Two costs of work, that of a part and that of a chunk, fitted to parts that are done."""

from typing import NamedTuple

# How much the duration of work of one second varies, in seconds squared: runs of the same texts differed by a fifth.
# It grows with the work.
_VARIANCE = 0.04
# What a part costs beside its chunks is about this or less, until parts of several sizes tell more; in the same time
# about so many chunks are embedded on two cores.
_START_UP_SECONDS = 0.5
_START_UP_CHUNKS = 20.0


class Costs(NamedTuple):
    """Seconds of a part beside its chunks, and of each chunk."""

    part: float
    chunk: float


class TwoCosts:
    """A weighted least-squares fit of `seconds = parts * a + chunks * b`, with neither cost below nothing.

    Small parts are mostly start-up. A mean cost of their chunks would make the large ones that follow seem several
    times as long as they will be.
    """

    def __init__(self) -> None:
        # Sums over all work, each divided by the number of chunks, to which its variance is in proportion.
        self._parts, self._mixed, self._chunks = 0.0, 0.0, 0.0
        self._parts_seconds, self._chunks_seconds = 0.0, 0.0
        self._all_chunks, self._all_seconds = 0.0, 0.0

    def add(self, parts: float, chunks: float, seconds: float) -> None:
        """Count work that was done: so many parts and chunks, in so many seconds."""
        if chunks <= 0 or seconds <= 0:
            return
        weight = 1 / (parts * _START_UP_CHUNKS + chunks)
        self._parts += weight * parts * parts
        self._mixed += weight * parts * chunks
        self._chunks += weight * chunks * chunks
        self._parts_seconds += weight * parts * seconds
        self._chunks_seconds += weight * chunks * seconds
        self._all_chunks += chunks
        self._all_seconds += seconds

    def fit(self) -> Costs | None:
        """Return the costs that fit best; None before any chunk."""
        if not self._all_chunks:
            return None
        mean = self._all_seconds / self._all_chunks
        # What is known of start-up counts as a part of its own, without chunks.
        parts = self._parts + _VARIANCE * mean / _START_UP_SECONDS**2
        determinant = parts * self._chunks - self._mixed**2
        part = (self._chunks * self._parts_seconds - self._mixed * self._chunks_seconds) / determinant
        chunk = (parts * self._chunks_seconds - self._mixed * self._parts_seconds) / determinant
        if part < 0:
            return Costs(0.0, self._chunks_seconds / self._chunks)
        if chunk <= 0:
            return Costs(0.0, mean)
        return Costs(part, chunk)
