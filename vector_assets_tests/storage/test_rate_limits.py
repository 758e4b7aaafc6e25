"""The limits of a minute, shared by all processes."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from vector_assets.storage.database import Database
from vector_assets.storage.rate_limits import PostgresRateLimits

ALWAYS = 1e6


def turns(limits: PostgresRateLimits, tokens: int, count: int) -> list[float]:
    """The seconds until the turn of each of so many requests."""
    return [limits.reserve(tokens, ALWAYS) for _ in range(count)]


@pytest.mark.parametrize(
    ("limits", "tokens", "most"), [((None, 60_000), 6_000, 10), ((12, None), 6_000, 12), ((12, 60_000), 6_000, 10)]
)
def test_no_minute_has_more_than_the_limits(
    database: Database, limits: tuple[int | None, int | None], tokens: int, most: int
) -> None:
    """Of requests or of tokens, whichever is reached first; and the minute is used."""
    found = sorted(turns(PostgresRateLimits(database, "p", *limits), tokens, 40))

    within = [sum(begin <= turn < begin + 60 for turn in found) for begin in found if begin + 60 < found[-1]]
    assert max(within) <= most
    assert min(within) >= 0.8 * most


def test_processes_share_the_limits(database: Database) -> None:
    """At the same time they get turns one after another; another provider has its own."""
    processes = [PostgresRateLimits(database, "p", 60, None) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        found = sorted(turn for each in threads.map(lambda one: turns(one, 1, 5), processes) for turn in each)

    gaps = [later - sooner for sooner, later in pairwise(found)]
    assert min(gaps) > 0.5
    assert turns(PostgresRateLimits(database, "other", 60, None), 1, 1) == [0.0]


def test_a_turn_too_far_away_is_not_reserved(database: Database) -> None:
    """Whoever does not wait takes no time from the others."""
    limits = PostgresRateLimits(database, "p", None, 60_000)
    limits.reserve(30_000, ALWAYS)

    first, second = limits.reserve(6_000, 1.0), limits.reserve(6_000, 1.0)

    assert 20 < second <= first < 60


def test_wrong_estimates_are_corrected_and_pauses_hold_for_all(database: Database) -> None:
    """More tokens than reserved push later turns away, fewer bring them nearer."""
    limits = PostgresRateLimits(database, "p", None, 60_000)
    limits.reserve(6_000, ALWAYS)
    limits.correct(12_000)
    later = limits.reserve(0, ALWAYS)
    limits.correct(-12_000)
    nearer = limits.reserve(0, ALWAYS)
    PostgresRateLimits(database, "p", None, 60_000).pause(100)

    assert later - nearer == pytest.approx(12.1, abs=1)
    assert limits.reserve(0, ALWAYS) == pytest.approx(100, abs=5)
