"""Makes the budget of a run from its config and from the settings."""

import sys
from datetime import UTC, datetime, time, timedelta

from .domain.budgets import Budget, TokenLimit, day_of_limit, tokens_for
from .errors import InvalidSetting
from .settings import Settings


def make_budget(
    settings: Settings,
    price: float | None,
    name: str,
    max_tokens: int | None = None,
    max_cost: float | None = None,
    deadline: str | None = None,
) -> Budget | None:
    """Make the budget: the run's own limits, shared by all runs of this name, and those of the day.

    `price` is of a million tokens. None: nothing is limited.

    Raises:
        InvalidSetting: a limit of money where no price is known, or a deadline that is no time.
    """
    now = datetime.now(UTC)
    limits = (
        _limit(name, max_tokens, _bought("max_cost", max_cost, price)),
        _limit(
            day_of_limit(now),
            settings.max_tokens_per_day,
            _bought("VECTOR_ASSETS_MAX_COST_PER_DAY", settings.max_cost_per_day, price),
        ),
    )
    ends_at = _moment(deadline, now) if deadline else None
    chosen = tuple(limit for limit in limits if limit is not None)
    return Budget(chosen, ends_at) if chosen or ends_at else None


def _limit(name: str, *tokens: int | None) -> TokenLimit | None:
    least = min((count for count in tokens if count is not None), default=sys.maxsize)
    return None if least == sys.maxsize else TokenLimit(name, least)


def _bought(setting: str, cost: float | None, price: float | None) -> int | None:
    if cost is None:
        return None
    if price is None:
        raise InvalidSetting(setting, "no price of the model is known", "Set EMBEDDING_PRICE_PER_MILLION.")
    return tokens_for(cost, price)


def _moment(deadline: str, now: datetime) -> datetime:
    """Read `2026-12-01T06:00`, or `06:00`, which is the next time that it is so late. Without a zone it is local."""
    try:
        if len(deadline) <= len("23:59:59") and ":" in deadline:
            local = now.astimezone()
            moment = datetime.combine(local.date(), time.fromisoformat(deadline), local.tzinfo)
            return moment if moment > local else moment + timedelta(days=1)
        return datetime.fromisoformat(deadline).astimezone()
    except ValueError:
        fix = "Write 06:00, or 2026-12-01T06:00."
        raise InvalidSetting("deadline", f"{deadline!r} is no time", fix) from None
