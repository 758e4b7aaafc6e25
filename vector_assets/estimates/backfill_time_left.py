"""Estimate how long a backfill has left, from the partitions that are finished."""

from collections.abc import Mapping

from ..domain.partition_keys import PartitionKey
from ..domain.reports import VectorizeReport


class BackfillTimeLeft:
    """Measures two costs, that of a partition and that of a chunk, and multiplies them by what is to come.

    Partitions differ a thousandfold in size, so neither cost alone would do: small ones are all start-up, a large one
    is all embedding.

    Args:
        chunks: how many chunks are to be embedded of each partition that is not finished.
    """

    def __init__(self, chunks: Mapping[PartitionKey, int]) -> None:
        self._to_come = dict(chunks)
        self.chunks = sum(chunks.values())
        self._done_partitions = 0
        self._done_chunks = 0
        self._chunk_seconds = 0.0
        self._other_seconds = 0.0

    def finish(self, partition: PartitionKey, report: VectorizeReport | None, seconds: float) -> None:
        """Record that a partition took so many seconds; there is no report where it failed early."""
        self.chunks -= self._to_come.pop(partition)
        self._done_partitions += 1
        embedding = min(report.seconds, seconds) if report else 0.0
        self._done_chunks += report.processed if report else 0
        self._chunk_seconds += embedding
        self._other_seconds += seconds - embedding

    def seconds_left(self, processed: int = 0, chunks_per_second: float = 0.0) -> float | None:
        """Estimate the seconds left; None before the first chunk.

        So many chunks of the partition that is being embedded are processed already, at that speed.
        """
        done = self._done_chunks + processed
        if not done:
            return None
        this_partition = processed / chunks_per_second if chunks_per_second > 0 else 0.0
        a_chunk = (self._chunk_seconds + this_partition) / done
        a_partition = self._other_seconds / self._done_partitions if self._done_partitions else 0.0
        return max(self.chunks - processed, 0) * a_chunk + max(len(self._to_come) - 1, 0) * a_partition
