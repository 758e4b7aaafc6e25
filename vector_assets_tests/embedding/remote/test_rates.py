"""How fast requests are sent: how many at once, how full, and when a server asks to be called again."""

import time
from datetime import UTC, datetime

import pytest

from vector_assets.domain.chunks import TokenizedText
from vector_assets.embedding.remote.concurrency import Concurrency
from vector_assets.embedding.remote.requests import fill_requests
from vector_assets.embedding.remote.waits import retry_after, used_up

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 2026 00:01:00 GMT"}, 60.0),
        ({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-remaining-tokens": "17", "x-ratelimit-reset-tokens": "9s"}, None),
        ({}, None),
    ],
)
def test_a_server_says_in_many_ways_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    """In seconds, milliseconds, as a moment, or by when a limit begins anew."""
    assert retry_after(headers, NOW) == seconds


def test_the_longer_of_two_waits_holds() -> None:
    """Both limits are used up."""
    headers = {f"x-ratelimit-remaining-{what}": "0" for what in ("requests", "tokens")}

    assert used_up(headers | {"x-ratelimit-reset-requests": "2s", "x-ratelimit-reset-tokens": "5"}) == 5.0


def test_requests_are_as_full_as_both_limits_allow() -> None:
    """Every text is in one of them, in order; a text beyond the limit is alone."""
    tokens = [3, 3, 3, 9, 20, 1, 1, 1, 1, 1]
    texts = [TokenizedText("", count, count, 0) for count in tokens]

    found = [tokens[part] for part in fill_requests(texts, 4, 10)]

    assert found == [[3, 3, 3], [9], [20], [1, 1, 1, 1], [1]]
    assert list(fill_requests([], 4, 10)) == []


def test_a_refusal_halves_the_requests_at_once_and_answers_bring_them_back() -> None:
    """Requests that were refused together count once; afterwards the height is reached again soon."""
    requests = Concurrency(16)
    for _ in range(12):
        requests.grow()
    highest = requests.limit

    with requests.slot(), requests.slot():
        began = time.monotonic()
        requests.halve(began)
        requests.halve(began)
    halved = requests.limit
    answers = 0
    while requests.limit < highest:
        requests.grow()
        answers += 1

    assert (highest, halved) == (16, 8)
    assert answers <= highest * (highest - halved)  # a few round trips of as many requests as run at once
