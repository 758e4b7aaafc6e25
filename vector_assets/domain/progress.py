"""The progress of a run, batch by batch, as figures and as text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..translation import ngettext, translate
from .batches import BatchChunk
from .wording import readable_seconds

# The properties of a BatchProgress that are figures.
_FIGURES = ("percent", "chunks_per_second", "tokens_per_second", "seconds_a_batch")


@dataclass(frozen=True)
class BatchProgress(Mapping[str, Any]):
    """The progress of a run after a batch was committed. Counts are of chunks, times are in seconds.

    It reads like an object and like a mapping of its fields and properties: `progress.total`, `progress["total"]`.

    `processed` = `vectorized_count` + `superseded_count` + `failed_count`. `seconds_left` divides the tokens that are
    left by the tokens per second since the first batch; `seconds_left_spread` is how much it would change at the speed
    of the recent batches. Recent means the last sixteen batches. Values are None until there is a speed.
    `reused_count` are those of the vectorized chunks that got the stored vector of the same text.
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
    reused_count: int = 0

    def __getitem__(self, name: str) -> Any:
        """Give a field or a property by its name."""
        if name in _FIGURES or name in {each.name for each in fields(self)}:
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Name the fields, then the properties."""
        return iter([*(each.name for each in fields(self)), *_FIGURES])

    def __len__(self) -> int:
        """Count the fields and properties."""
        return len(fields(self)) + len(_FIGURES)

    @property
    def percent(self) -> float:
        """Share of the chunks that are processed, 0 to 100."""
        return 100.0 * self.processed / self.total

    @property
    def chunks_per_second(self) -> float:
        """Average since the run began."""
        return self.processed / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Average since the run began."""
        return self.tokens_embedded / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def seconds_a_batch(self) -> float:
        """Average since the run began."""
        return self.elapsed_seconds / self.batch_num

    def line(self) -> str:
        """Format the progress as one line: `batch 95/132 · 3,040/4,194 chunks (72.5%) · 138 chunks/s · 8 s left`."""
        items = [self.batch_line(), readable_share(self.processed, self.total), readable_speed(self.chunks_per_second)]
        if self.seconds_left is not None:
            items.append(translate("{duration} left", duration=readable_seconds(self.seconds_left)))
        return " · ".join(items)

    def batch_line(self) -> str:
        """Format which batch it is: `batch 95/132`."""
        return translate("batch {batch:,}/{batches:,}", batch=self.batch_num, batches=self.total_batches)

    def details(self) -> str:
        """Format what `line` leaves out: `22 s elapsed · 0.23 s per batch · 29,100 tokens/s (recent: 30,200)`.

        The uncertainty of the time left and what is wrong with the chunks follow: `time left ± 1 s · 12 truncated`.
        """
        items = [
            translate("{duration} elapsed", duration=readable_seconds(self.elapsed_seconds)),
            translate("{seconds:.2g} s per batch", seconds=self.seconds_a_batch),
        ]
        if self.recent_tokens_per_second is None:
            items.append(translate("{speed:,.0f} tokens/s", speed=self.tokens_per_second))
        else:
            speeds = {"speed": self.tokens_per_second, "recent": self.recent_tokens_per_second}
            items.append(translate("{speed:,.0f} tokens/s (recent: {recent:,.0f})", **speeds))
        if self.seconds_left_spread is not None:
            items.append(translate("time left ± {duration}", duration=readable_seconds(self.seconds_left_spread)))
        if self.reused_count:
            items.append(translate("{count:,} reused", count=self.reused_count))
        items += shortcomings(self.failed_count, self.truncated_chunks, self.unknown_tokens, self.tokens_embedded)
        return " · ".join(items)

    def outcomes_since(self, before: "BatchProgress | None") -> str:
        """Count the chunks by outcome since `before`: `ok 32 failed 0`, and `superseded 1` where there are any.

        Of several batches it says of which: `ok 96 failed 0 (batches 93 to 95)`.
        """
        first = (before.batch_num if before else 0) + 1
        if first == self.batch_num:
            return self._counts_since(before)
        return translate(
            "{counts} (batches {first:,} to {last:,})",
            counts=self._counts_since(before),
            first=first,
            last=self.batch_num,
        )

    def _counts_since(self, before: "BatchProgress | None") -> str:
        ok = self.vectorized_count - (before.vectorized_count if before else 0)
        failed = self.failed_count - (before.failed_count if before else 0)
        superseded = self.superseded_count - (before.superseded_count if before else 0)
        if superseded:
            return translate(
                "ok {ok:,} failed {failed:,} superseded {superseded:,}", ok=ok, failed=failed, superseded=superseded
            )
        return translate("ok {ok:,} failed {failed:,}", ok=ok, failed=failed)


def readable_share(processed: int, total: int) -> str:
    """Format how many of the chunks are processed: `3,040/4,194 chunks (72.5%)`."""
    return ngettext(
        "{processed:,}/{number:,} chunk ({percent:.1f}%)",
        "{processed:,}/{number:,} chunks ({percent:.1f}%)",
        total,
        processed=processed,
        percent=100.0 * processed / total if total else 100.0,
    )


def readable_speed(chunks_per_second: float) -> str:
    """Format a speed: `138 chunks/s`; below 10 with one decimal."""
    speed = f"{chunks_per_second:,.0f}" if chunks_per_second >= 10 else f"{chunks_per_second:.1f}"
    return translate("{speed} chunks/s", speed=speed)


def shortcomings(failed: int, truncated_chunks: int, unknown_tokens: int, tokens_embedded: int) -> list[str]:
    """List what is wrong with the chunks: `2 failed`, `12 truncated`, `31.0% unknown tokens`; empty if all is well."""
    found = []
    if failed:
        found.append(translate("{count:,} failed", count=failed))
    if truncated_chunks:
        found.append(translate("{count:,} truncated", count=truncated_chunks))
    # A few rare symbols are normal, so a share that rounds to 0.0% is not shown.
    if tokens_embedded and (share := f"{unknown_tokens / tokens_embedded:.1%}") != "0.0%":
        found.append(translate("{share} unknown tokens", share=share))
    return found
