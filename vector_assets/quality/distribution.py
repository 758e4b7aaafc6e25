"""Collect what the vectors that a run stores look like as a whole."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .sample import Sample
from .token_lengths import TokenLengths
from .vector_summary import VectorSummary

# Rows kept to be drawn. The chart projects them, which takes time that grows with their square.
SAMPLE_ROWS = 200

# Rows that are summarized at once, which is far less work than batch by batch. As float32 of 384 components: 1.5 MB.
_BLOCK_ROWS = 1000


class Distribution:
    """Collects a summary, a sample and the token lengths of a run's vectors, batch by batch, in bounded memory."""

    def __init__(self, dimension: int) -> None:
        self._summary = VectorSummary.empty(dimension)
        self._sample = Sample.empty(SAMPLE_ROWS, dimension)
        self._token_lengths: Counter[int] = Counter()
        self._waiting_ids: list[int] = []
        self._waiting_vectors: list[NDArray[np.float32]] = []

    def add(self, ids: Iterable[int], vectors: Iterable[NDArray[np.float32]], token_counts: Iterable[int]) -> None:
        """Add a batch of good vectors with their chunks' ids and numbers of tokens; each id may come once only.

        The vectors are not copied and must not be changed afterwards: many rows are summarized at once.
        """
        self._waiting_ids.extend(ids)
        self._waiting_vectors.extend(vectors)
        self._token_lengths.update(token_counts)
        if len(self._waiting_ids) >= _BLOCK_ROWS:
            self._summarize_waiting()

    @property
    def summary(self) -> VectorSummary:
        """The summary of all rows so far."""
        self._summarize_waiting()
        return self._summary

    @property
    def sample(self) -> Sample:
        """At most 200 of the rows so far."""
        self._summarize_waiting()
        return self._sample

    @property
    def token_lengths(self) -> TokenLengths:
        """The lengths of all rows' texts so far."""
        return TokenLengths(dict(self._token_lengths))

    def summary_of_partition(self, former: VectorSummary | None, current: int) -> VectorSummary:
        """Return what the partition's vectors are like after the run.

        `former` is what they were like before it, and `current` how many there are now. If the run made at least half
        of them anew, only its own count; a few new ones are added to those that were there.
        """
        if former is None or 2 * self.summary.count >= current:
            return self.summary
        return former + self.summary

    def _summarize_waiting(self) -> None:
        if not self._waiting_ids:
            return
        vectors = np.stack(self._waiting_vectors)
        self._summary += VectorSummary.of(vectors)
        self._sample = self._sample.with_rows(self._waiting_ids, vectors)
        self._waiting_ids.clear()
        self._waiting_vectors.clear()
