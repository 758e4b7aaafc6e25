"""How long the partitions still to come will take."""

from collections.abc import Mapping
from typing import Any

from ..domain.partition_keys import PartitionKey


class Remaining:
    """Two costs, each learnt from what is done: a partition's own, and a chunk's.

    Partitions differ a thousandfold in size, so neither alone would tell: a hundred small ones are all start-up, a
    large one is all embedding.

    Args:
        chunks: of each partition still to come, the one at work included, how many are to be embedded.
    """

    def __init__(self, chunks: Mapping[PartitionKey, int]) -> None:
        self._to_come = dict(chunks)
        self.chunks = sum(chunks.values())
        self._done_partitions = 0
        self._done_chunks = 0
        self._chunk_seconds = 0.0
        self._other_seconds = 0.0

    def finish(self, partition: PartitionKey, totals: Mapping[str, Any], seconds: float) -> None:
        """A partition is done in so many seconds; `totals` is its run's metadata, empty where it failed early."""
        self.chunks -= self._to_come.pop(partition)
        self._done_partitions += 1
        embedding = min(totals.get("seconds", 0.0), seconds)
        self._done_chunks += sum(totals.get(name, 0) for name in ("vectorized", "failed", "superseded"))
        self._chunk_seconds += embedding
        self._other_seconds += seconds - embedding

    def seconds(self, processed: int = 0, chunks_per_second: float = 0.0) -> float | None:
        """Seconds left when so many chunks of the partition at work were done at that speed; None: too early to say."""
        done = self._done_chunks + processed
        if not done:
            return None
        at_work = processed / chunks_per_second if chunks_per_second > 0 else 0.0
        a_chunk = (self._chunk_seconds + at_work) / done
        a_partition = self._other_seconds / self._done_partitions if self._done_partitions else 0.0
        return max(self.chunks - processed, 0) * a_chunk + max(len(self._to_come) - 1, 0) * a_partition
