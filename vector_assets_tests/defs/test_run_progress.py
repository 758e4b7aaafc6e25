"""A run over several partitions says whose batch it is, and how far it is as a whole."""

from vector_assets.defs.run_progress import RunProgress
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.domain.reports import StageSeconds, VectorizeReport

KEYS = [PartitionKey("us", "quarterly_report", code) for code in ("AAPL", "MSFT", "NVDA")]


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def batch(number: int, total: int, seconds: float) -> BatchProgress:
    """Give a batch of ten chunks, at ten chunks a second."""
    counts = (10, 10 * number, 10 * total, 10 * number, 0, 0, 1, 1, 0, 0)
    return BatchProgress(number, total, *counts, seconds, None, None, None, None, ())


def test_the_line_says_whose_batch_it_is_and_how_far_the_run_is() -> None:
    """The time left is that of the run: of the chunks to come, and of what a partition costs beside them."""
    clock = Clock()
    run = RunProgress(dict(zip(KEYS, (100, 50, 50), strict=True)), clock)
    run.begin(KEYS[0])
    clock.now = 12.0  # ten seconds of embedding, two of the rest
    run.finish(VectorizeReport("run", 100, 10, 100, 0, 0, 1, 1, 0, 0, 0, 10.0, StageSeconds()))
    run.begin(KEYS[1])

    line = run.line(KEYS[1], batch(2, 5, 2.0))

    assert line == (
        "[2/3] us/quarterly_report/MSFT · batch 2/5 · 20/50 chunks (40.0%) · 10 chunks/s"
        " · run 120/200 chunks (60.0%) · 10 s left"
    )


def test_a_partition_that_failed_early_is_passed_over() -> None:
    """Its chunks are no longer to come."""
    run = RunProgress(dict(zip(KEYS, (100, 50, 50), strict=True)), Clock())

    run.begin(KEYS[0])
    run.begin(KEYS[0])  # another attempt
    run.begin(KEYS[1])

    assert "run 120/200 chunks (60.0%)" in run.line(KEYS[1], batch(2, 5, 2.0))
