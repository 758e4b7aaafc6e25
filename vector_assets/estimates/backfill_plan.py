"""Estimate what a backfill will take, from the counts of chunks and from the last runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ..domain.coverage import LastRun, PartitionStatus
from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_bytes, readable_seconds
from ..translation import ngettext, translate

# What a partition takes beside its chunks, in seconds: the median of 500 small ones (benchmarks/RESULTS.md).
PARTITION_SECONDS = 0.4

# A shorter run is mostly start-up, and its speed says little of a longer one. Where there is none so long, all count.
_LONG_RUN_SECONDS = 5.0

# The speed of so many last runs is the speed of this machine; older runs may be another machine's.
_RECENT_RUNS = 20


@dataclass(frozen=True)
class BackfillPlan:
    """How many chunks of which partitions a backfill embeds; tokens and seconds are None before the first run.

    `price` is of a million tokens, None where nobody asks for money; `disk_bytes` are those of the vectors. `by_trial`:
    the seconds are those of a few requests, not of runs.
    """

    chunks: Mapping[PartitionKey, int]
    tokens: int | None
    seconds: float | None
    price: float | None = None
    currency: str = ""
    disk_bytes: int | None = None
    by_trial: bool = False

    @property
    def cost(self) -> float | None:
        """What the tokens cost; None: unknown."""
        return None if self.price is None or self.tokens is None else self.tokens * self.price / 1_000_000

    def seconds_of(self, partitions: Iterable[PartitionKey]) -> float | None:
        """What some of the partitions take, by their chunks; None: unknown."""
        chunks = sum(self.chunks.values())
        return self.seconds * sum(self.chunks[key] for key in partitions) / chunks if self.seconds and chunks else None

    def line(self) -> str:
        """`12 partitions, 4,194 chunks, about 796,000 tokens, about 40 s at the speed of the last runs`.

        Of a server, what it costs and the size follow: `, about 0.02 USD, 3.2 MiB on disk`.
        """
        items = [self._work()]
        if self.cost is not None:
            items.append(translate("about {cost} {currency}", cost=_money(self.cost), currency=self.currency))
        if self.disk_bytes is not None:
            items.append(translate("{size} on disk", size=readable_bytes(self.disk_bytes)))
        return ", ".join(items)

    def _work(self) -> str:
        partitions = ngettext("{number:,} partition", "{number:,} partitions", len(self.chunks))
        chunks = ngettext("{number:,} chunk", "{number:,} chunks", sum(self.chunks.values()))
        if self.tokens is not None and self.seconds is None:
            return translate(
                "{partitions}, {chunks}, about {tokens:,} tokens; no run has been made yet, so the time cannot be "
                "estimated",
                partitions=partitions,
                chunks=chunks,
                tokens=_rounded(self.tokens),
            )
        if self.tokens is None or self.seconds is None:
            return translate(
                "{partitions}, {chunks}; no run has been made yet, so the time cannot be estimated",
                partitions=partitions,
                chunks=chunks,
            )
        if self.by_trial:
            return translate(
                "{partitions}, {chunks}, about {tokens:,} tokens, about {duration} by a trial of a few chunks",
                partitions=partitions,
                chunks=chunks,
                tokens=_rounded(self.tokens),
                duration=readable_seconds(self.seconds),
            )
        return translate(
            "{partitions}, {chunks}, about {tokens:,} tokens, about {duration} at the speed of the last runs",
            partitions=partitions,
            chunks=chunks,
            tokens=_rounded(self.tokens),
            duration=readable_seconds(self.seconds),
        )


def _rounded(tokens: int) -> int:
    return round(tokens, -max(len(str(tokens)) - 3, 0))


def _money(cost: float) -> str:
    return f"{cost:,.2f}" if cost >= 0.1 else f"{cost:.4f}" if cost >= 0.0001 else "0"


def plan_backfill(chunks: Mapping[PartitionKey, int], statuses: Sequence[PartitionStatus]) -> BackfillPlan:
    """Plan a backfill of so many chunks of each partition; `statuses` are those of all partitions with a last run."""
    runs = {status.partition: status.last_run for status in statuses if status.last_run is not None}
    recent = sorted(runs.values(), key=lambda run: run.ended_at)[-_RECENT_RUNS:]
    recent = [run for run in recent if run.seconds >= _LONG_RUN_SECONDS] or recent
    seconds = sum(run.seconds for run in recent)
    if seconds <= 0:
        return BackfillPlan(chunks, None, None)
    tokens = _tokens(chunks, runs)
    speed = sum(run.tokens for run in recent) / seconds
    return BackfillPlan(chunks, tokens, tokens / speed + len(chunks) * PARTITION_SECONDS)


def _tokens(chunks: Mapping[PartitionKey, int], runs: Mapping[PartitionKey, LastRun]) -> int:
    """Estimate the tokens: a chunk has as many as those of its partition's last run, else its market's, else all."""
    by_market = {
        market: _tokens_per_chunk(run for key, run in runs.items() if key.market == market)
        for market in {key.market for key in runs}
    }
    anywhere = _tokens_per_chunk(runs.values())
    return round(
        sum(
            count * (_tokens_per_chunk([runs[key]]) if key in runs else by_market.get(key.market, anywhere))
            for key, count in chunks.items()
        )
    )


def _tokens_per_chunk(runs: Iterable[LastRun]) -> float:
    return fmean(run.tokens / run.chunks for run in runs)
