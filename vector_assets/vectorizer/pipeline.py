"""The stages of a run: windows are read ahead, and batches embedded and committed, all at the same time."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext

from ..domain.chunks import ChunkSelection
from ..domain.reports import StageSeconds
from .batch_embedder import BatchEmbedder, EmbeddedBatch
from .embed_deadline import EmbedDeadline
from .run_budget import RunBudget
from .run_counts import CommittedBatch
from .thread_stages import WaitSeconds, calling_on_error, map_as_done, map_in_order, read_ahead
from .windows import Batch, BatchSplitter, WindowReader

# While the server works on some batches and waits for its disk, the next are prepared and sent: with one at a time each
# waits for the other. How much that gains is measured in benchmarks/RESULTS.md.
CONCURRENT_COMMITS = 6


class Pipeline:
    """The stages of one run, and the seconds that they take.

    Args:
        reader: reads the chunks in windows.
        splitter: splits each window into batches.
        embedder: embeds a batch.
        commit: commits a batch; up to `CONCURRENT_COMMITS` threads call it at the same time.
        concurrency: how many threads embed.
        deadline: the time limit of the embedder; its error ends the run.
        budget: gives out batches as long as it holds; None: there is no limit.
    """

    def __init__(
        self,
        reader: WindowReader,
        splitter: BatchSplitter,
        embedder: BatchEmbedder,
        commit: Callable[[EmbeddedBatch], CommittedBatch],
        concurrency: int,
        deadline: EmbedDeadline,
        budget: RunBudget | None,
    ) -> None:
        self._reader = reader
        self._splitter = splitter
        self._embedder = embedder
        self._commit = commit
        self._concurrency = concurrency
        self._deadline = deadline
        self._budget = budget
        self._waits = WaitSeconds()

    @contextmanager
    def committed(self, selection: ChunkSelection, total: int) -> Iterator[Iterator[CommittedBatch]]:
        """Run the stages: give the committed batches, in the order in which they were begun.

        At the end, work that has not begun is dropped, and work that has begun is waited for.
        """
        deadline, budget = self._deadline, self._budget
        with (
            closing(budget) if budget else nullcontext(),
            closing(read_ahead(self._reader.read(selection, total), deadline)) as windows,
            closing(self._splitter.split(windows)) as split,
            closing(budget.take(split) if budget else split) as batches,
            closing(map_in_order(self._embed, batches, self._concurrency, deadline)) as embedded,
            closing(map_as_done(self._commit, embedded, CONCURRENT_COMMITS, deadline, self._waits)) as committed,
            calling_on_error(deadline.on_failure),
        ):
            yield committed

    def add_seconds(self, stages: StageSeconds) -> None:
        """Add what the stages and the waits between them took."""
        splitter, waits = self._splitter.seconds, self._waits
        stages.read, stages.tokenize = splitter.read, splitter.tokenize
        stages.wait_for_window, stages.wait_for_commit = splitter.wait, waits.for_work
        stages.wait_for_embedder = max(waits.for_item - stages.wait_for_window, 0.0)
        stages.inspect += self._embedder.inspect_seconds

    def _embed(self, batch: Batch) -> EmbeddedBatch:
        embedded = self._embedder.embed(batch)
        if self._budget is not None:
            self._budget.embedded(batch)
        return embedded
