"""Leases, in PostgreSQL and in memory: one holder at a time, and nothing is committed under a lost one."""

import random
from contextlib import closing
from datetime import timedelta

import pytest

from vector_assets.domain.batches import ChunkFailure
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import LeaseLost
from vector_assets.storage.database import Database
from vector_assets.storage.leases import PostgresLeases

from ..fakes import KEY, SPACE, store_chunks
from ..stores import Stores
from .servers import connect
from .test_vectors import embedded, pending

_LONG, _OVER = timedelta(hours=1), timedelta(seconds=-1)
_PLACES = [(KEY, "one"), (KEY, "two"), (PartitionKey("hk", "announcement", "00700"), "one")]


@pytest.mark.parametrize("seed", range(3))
def test_a_lease_holds_until_another_run_takes_it(stores: Stores, seed: int) -> None:
    """Whatever is done in whichever order; tokens are never given out again."""
    drawn, leases = random.Random(seed), stores.leases
    held: dict[tuple[PartitionKey, str], tuple[int, timedelta]] = {}
    tokens: list[int] = []
    for number in range(40):
        place, act = drawn.choice(_PLACES), drawn.choice(["take", "take", "renew", "release"])
        token, period = drawn.choice(tokens or [0]), drawn.choice([_LONG, _OVER])
        owner = next((key for key, (other, _) in held.items() if other == token), None)

        if act == "take":
            token = leases.take(*place, f"run {number}", period)
            assert token not in tokens
            tokens.append(token)
            held[place] = token, period
        elif act == "renew":
            assert leases.renew(token, period) == (owner is not None)
            if owner:
                held[owner] = token, period
        else:
            leases.release(token)
            held.pop(owner, None)

        assert {each for each in tokens if leases.is_held(each)} == {each for each, _ in held.values()}
        expired = {key for key, (_, its_period) in held.items() if its_period == _OVER}
        assert {key for key in _PLACES if leases.has_expired(*key)} == expired
        assert len(leases.expired_runs()) == len(expired)


def test_nothing_is_committed_under_a_lease_that_was_lost(stores: Stores) -> None:
    """Neither vectors nor failures; under the lease that took it away, everything is."""
    store_chunks(stores.database, ["a", "b"])
    good, bad = pending(stores)
    batch, failures = embedded([good]), [ChunkFailure(bad, "Broken", "no")]
    lost = stores.leases.take(KEY, SPACE.slug, "first", _OVER)
    expired = stores.vectors(SPACE.slug, lost).commit_batch([], [], "first")
    lease = stores.leases.take(KEY, SPACE.slug, "second", _LONG)

    for part in ((batch, failures), (batch, []), ([], failures)):
        with pytest.raises(LeaseLost):
            stores.vectors(SPACE.slug, lost).commit_batch(*part, "first")

    assert expired == set()
    assert len(pending(stores)) == 2
    assert stores.failures() == []
    assert stores.vectors(SPACE.slug, lease).commit_batch(batch, failures, "second") == {good.id}
    assert len(stores.failures()) == 1


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_commit_that_its_process_does_not_end_keeps_no_lease_that_has_expired(
    database: Database, in_pipeline: bool
) -> None:
    """The process is stopped between two statements, or while the server waits for the rest of a pipeline."""
    leases = PostgresLeases(database)
    lost = leases.take(KEY, SPACE.slug, "first", _OVER)
    with closing(connect(database.url)) as stopped:  # ended by the server
        stopped.execute("BEGIN")
        hold = f"SELECT FROM partition_leases WHERE token = {lost} FOR KEY SHARE"
        if in_pipeline:
            stopped.pgconn.enter_pipeline_mode()
            stopped.pgconn.send_query_params(hold.encode(), None)
            stopped.pgconn.send_flush_request()
            stopped.pgconn.flush()
        else:
            stopped.execute(hold)

        token = database.repeat(lambda: leases.take(KEY, SPACE.slug, "second", _LONG))

        assert not leases.is_held(lost)
        assert leases.is_held(token)
