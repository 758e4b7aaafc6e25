"""How long a partition rests after failures."""

from datetime import UTC, datetime, timedelta

import pytest

from vector_assets.domain.failure_backoff import is_resting, rest_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (500, 60)])
def test_each_failure_doubles_the_rest_up_to_an_hour(failures: int, minutes: int) -> None:
    """However many there are."""
    assert rest_after(failures) == timedelta(minutes=minutes)


@pytest.mark.parametrize(("seconds_ago", "resting"), [([], False), ([61], False), ([59], True), ([500, 110], True)])
def test_a_partition_rests_after_its_last_failure(seconds_ago: list[int], resting: bool) -> None:
    """For as long as its number of failures asks for."""
    failed_at = [NOW.timestamp() - seconds for seconds in seconds_ago]

    assert is_resting(failed_at, NOW) is resting
