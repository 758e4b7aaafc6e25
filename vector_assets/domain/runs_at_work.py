"""What runs on any machine say of their progress."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunAtWork:
    """The last batch that a run has reported.

    Attributes:
        partition: the key of the partition that is being embedded.
        processed: how many chunks of it, of `total` that the run has to embed there.
        line: the progress as the run's page shows it.
    """

    run_id: str
    partition: str
    processed: int
    total: int
    chunks_per_second: float
    line: str
