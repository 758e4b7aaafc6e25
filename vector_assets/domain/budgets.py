"""What runs may use of a model: tokens, and time."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from ..translation import translate


@dataclass(frozen=True)
class TokenLimit:
    """The most tokens that all runs together may use under one name, e.g. those of a backfill or of a day."""

    name: str
    tokens: int


@dataclass(frozen=True)
class Budget:
    """The limits of a run. All of them hold; none: the run embeds whatever is pending."""

    limits: tuple[TokenLimit, ...] = ()
    deadline: datetime | None = None


def day_of_limit(moment: datetime) -> str:
    """Name the limit of a day; days are those of UTC, so that they are the same everywhere."""
    return f"day {moment.astimezone(UTC):%Y-%m-%d}"


def used_up(limit: TokenLimit) -> str:
    """Say that a limit is reached: `the limit of 1,000,000 tokens (day 2026-11-28) is reached`."""
    return translate("the limit of {tokens:,} tokens ({name}) is reached", tokens=limit.tokens, name=limit.name)


def overdue(deadline: datetime) -> str:
    """Say that the deadline is over."""
    moment = f"{deadline.astimezone():%Y-%m-%d %H:%M:%S}"
    return translate("the deadline {deadline} is over", deadline=moment)


def tokens_for(cost: float, price_per_million: float) -> int:
    """Return how many tokens a sum buys."""
    return int(cost / price_per_million * 1_000_000) if price_per_million else sys.maxsize
