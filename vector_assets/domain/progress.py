"""Where a run stands, batch by batch."""

from dataclasses import dataclass

from .batches import BatchChunk
from .wording import readable_seconds


@dataclass(frozen=True)
class BatchProgress:
    """Where a run stands after a batch was committed. Counts are of chunks; times are seconds.

    `processed` = `vectorized_count` + `superseded_count` + `failed_count`. `seconds_left` weighs the tokens still to
    come with the tokens per second since the first batch; `seconds_left_spread` is how far off that is when the speed
    of the last batches holds instead. What is recent is of the last sixteen batches. None until there is a speed.
    """

    batch_num: int
    total_batches: int
    batch_size: int
    processed: int
    total: int
    vectorized_count: int
    superseded_count: int
    failed_count: int
    tokens: int
    tokens_embedded: int
    unknown_tokens: int
    truncated_chunks: int
    elapsed_seconds: float
    recent_seconds_a_batch: float | None
    recent_tokens_per_second: float | None
    seconds_left: float | None
    seconds_left_spread: float | None
    batch_chunks: tuple[BatchChunk, ...]

    @property
    def percent(self) -> float:
        """0 to 100."""
        return 100.0 * self.processed / self.total

    @property
    def chunks_per_second(self) -> float:
        """Over the whole run so far."""
        return self.processed / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Over the whole run so far."""
        return self.tokens_embedded / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def seconds_a_batch(self) -> float:
        """Over the whole run so far."""
        return self.elapsed_seconds / self.batch_num

    def line(self) -> str:
        """One line: `batch 95/132 · 3,040/4,194 chunks (72.5%) · 138 chunks/s · 8 s left`."""
        speed = self.chunks_per_second
        parts = [
            f"batch {self.batch_num:,}/{self.total_batches:,}",
            f"{self.processed:,}/{self.total:,} chunks ({self.percent:.1f}%)",
            f"{speed:,.0f} chunks/s" if speed >= 10 else f"{speed:.1f} chunks/s",
        ]
        if self.seconds_left is not None:
            parts.append(f"{readable_seconds(self.seconds_left)} left")
        return " · ".join(parts)

    def details(self) -> str:
        """What `line` leaves out: `22 s · 0.23 s a batch · 29,100 tokens/s, lately 30,200 · left ± 1 s · 12 cut`."""
        speed = f"{self.tokens_per_second:,.0f} tokens/s"
        if self.recent_tokens_per_second is not None:
            speed += f", lately {self.recent_tokens_per_second:,.0f}"
        parts = [readable_seconds(self.elapsed_seconds), f"{self.seconds_a_batch:.2g} s a batch", speed]
        if self.seconds_left_spread is not None:
            parts.append(f"left ± {readable_seconds(self.seconds_left_spread)}")
        parts += shortcomings(self.failed_count, self.truncated_chunks, self.unknown_tokens, self.tokens_embedded)
        return " · ".join(parts)


def shortcomings(failed: int, truncated_chunks: int, unknown_tokens: int, tokens_embedded: int) -> list[str]:
    """What is not as it should be, in words; nothing where all is: `2 failed`, `12 cut`, `31% unknown tokens`."""
    found = [f"{count:,} {what}" for count, what in ((failed, "failed"), (truncated_chunks, "cut")) if count]
    # As a percent with one digit, for a few rare symbols are normal.
    if tokens_embedded and (share := f"{unknown_tokens / tokens_embedded:.1%}") != "0.0%":
        found.append(f"{share} unknown tokens")
    return found
