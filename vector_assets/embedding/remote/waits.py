"""When a server asks to be called again, in all the ways in which servers say it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# `x-ratelimit-reset-tokens: 6m0.5s`, or `120ms`.
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_LIMITED = ("requests", "tokens")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that the server asks to wait after a refusal; None: it does not say.

    `headers` are looked up in lower case.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    given = headers.get("retry-after", "")
    if (seconds := _number(given)) is not None:
        return seconds
    if given:
        try:
            moment = parsedate_to_datetime(given)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0)
    return used_up(headers)


def used_up(headers: Mapping[str, str]) -> float | None:
    """Return in how many seconds a limit begins anew that the answer says is used up; None: none is."""
    waits = [
        seconds
        for what in _LIMITED
        if _number(headers.get(f"x-ratelimit-remaining-{what}")) == 0
        and (seconds := _duration(headers.get(f"x-ratelimit-reset-{what}", ""))) is not None
    ]
    return max(waits, default=None)


def tokens_a_minute(headers: Mapping[str, str]) -> float | None:
    """Return the limit of tokens per minute that the answer says; None: it does not say."""
    return _number(headers.get("x-ratelimit-limit-tokens")) or None


def _duration(text: str) -> float | None:
    if (seconds := _number(text)) is not None:
        return seconds
    match = _DURATION.fullmatch(text.strip())
    if not text.strip() or match is None:
        return None
    hours, minutes, seconds_, milliseconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds_ + milliseconds / 1000


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
