"""How fast requests follow one another where the server's limit has to be found."""

from collections import deque

import pytest

from vector_assets.embedding.remote.pace import Pace

LIMIT = 1_000_000
TOKENS = 12_000


class Minute:
    """A server that takes a limit of tokens within any minute, and its clock."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.now = 1000.0
        self.limit = limit
        self.requests = self.refused = self.tokens = 0
        self._taken: deque[tuple[float, int]] = deque()

    def ask(self, tokens: int) -> float | None:
        """Take a request, or say in how many seconds it would be taken."""
        while self._taken and self._taken[0][0] <= self.now - 60:
            self._taken.popleft()
        self.requests += 1
        if sum(taken for _, taken in self._taken) + tokens > self.limit:
            self.refused += 1
            return self._taken[0][0] + 60 - self.now
        self._taken.append((self.now, tokens))
        self.tokens += tokens
        return None


def work(server: Minute, pace: Pace, seconds: float) -> None:
    """Send requests one after another, each 12 ms long, for so many seconds."""
    ends_at = server.now + seconds
    while server.now < ends_at:
        server.now += max(pace.reserve(TOKENS, 0.012, 1e9), 0.001)
        began = server.now
        wait = server.ask(TOKENS)
        if wait is None:
            pace.accepted(began, TOKENS, TOKENS, None)
        else:
            pace.refused(began, wait)
            server.now += wait


def test_an_unknown_limit_is_found_by_a_few_refusals() -> None:
    """And used nearly whole: afterwards requests are spread over the minute."""
    server = Minute()

    work(server, Pace(lambda: server.now), 900)

    assert server.refused / server.requests < 0.01
    assert server.tokens / 15 > 0.95 * LIMIT


@pytest.mark.parametrize("factor", [10, 0.1])
def test_the_pace_follows_a_limit_that_changes(factor: float) -> None:
    """Some minutes later it is there, upwards as well as downwards."""
    server = Minute()
    pace = Pace(lambda: server.now)
    work(server, pace, 120)
    server.limit = int(LIMIT * factor)
    work(server, pace, 600)

    before, refused = server.tokens, server.refused
    work(server, pace, 300)

    assert server.tokens - before > 5 * (0.97 * server.limit - TOKENS)  # a minute is full of whole requests
    assert server.refused - refused < 20


def test_a_limit_in_the_headers_is_kept_from_the_beginning() -> None:
    """Not one request is refused."""
    pace = Pace(lambda: 0.0)

    pace.accepted(0.0, TOKENS, TOKENS, LIMIT)
    turns = [pace.reserve(TOKENS, 0.0, 100.0) for _ in range(3)]

    assert turns == pytest.approx([0.0, 0.7273, 1.4545], abs=1e-3)


def test_answers_that_come_after_the_refusal_count_for_the_pace() -> None:
    """The server had taken their requests before."""
    pace = Pace(lambda: 10.0)
    pace.accepted(0.0, TOKENS, TOKENS, None)

    assert pace.refused(9.9, 50.0)
    before = pace.rate
    pace.accepted(9.8, TOKENS, TOKENS, None)

    assert before is not None
    assert pace.rate == pytest.approx(2 * before)


def test_a_refusal_without_a_time_says_nothing_of_a_limit() -> None:
    """The server may be out of breath for a moment; the number of requests at once accounts for that."""
    pace = Pace(lambda: 10.0)
    pace.accepted(0.0, TOKENS, TOKENS, None)

    assert not pace.refused(9.0, None)
    assert pace.rate is None
