"""Failed chunks are listed with their error, quarantined, released, and their attempts counted on."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from vector_assets.domain.failure_backoff import SECOND_ATTEMPT_AFTER
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.quarantine import FailedChunk, FailureCounts, RetryOutcome
from vector_assets.storage.database import Database
from vector_assets.storage.quarantine import Quarantine

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, store_chunks
from ..stores import AnyDatabase, Stores
from .servers import connect

OTHER = PartitionKey("cn", "announcement", "999001")


@pytest.fixture
def failed(stores: Stores) -> Stores:
    """Two partitions with two bad chunks and one, each with a good one beside it."""
    fail_some(stores.database)
    return stores


def fail_some(database: AnyDatabase) -> None:
    """Fill the partitions, and run over both."""
    store_chunks(database, ["a", "POISON 1", "POISON 2"])
    store_chunks(database, ["甲", "POISON 乙"], OTHER)
    vectorizer = make_vectorizer(database, HashEmbedder())
    for key in (KEY, OTHER):
        vectorizer.vectorize_partition(key, run_id=f"run of {key.market}")


def places(chunks: list[FailedChunk]) -> list[tuple[str, int]]:
    """Market and index of each."""
    return [(chunk.partition.market, chunk.chunk_index) for chunk in chunks]


def test_what_failed_is_listed_in_order(failed: Stores) -> None:
    """By partition, document and index, with all that is known of it."""
    quarantine = failed.quarantine
    found = quarantine.chunks(SPACE.slug, [KEY, OTHER])

    assert places(found) == [("cn", 1), ("us", 1), ("us", 2)]
    first = found[0]
    assert (first.document, first.error, first.message) == (f"{OTHER}/a.txt", "ValueError", "poison")
    assert (first.attempts, first.is_quarantined, first.run_id) == (1, False, "run of cn")
    assert abs(first.next_attempt_at - first.failed_at - SECOND_ATTEMPT_AFTER) < timedelta(seconds=1)
    assert places(quarantine.chunks(SPACE.slug, [KEY, OTHER], limit=2)) == [("cn", 1), ("us", 1)]
    assert places(quarantine.chunks(SPACE.slug, [OTHER])) == [("cn", 1)]
    assert quarantine.chunks(SPACE.slug, []) == []
    assert quarantine.chunks("another_space", [KEY, OTHER]) == []


def quarantined(stores: Stores) -> list[tuple[str, int]]:
    """Market and index of each chunk that has no further attempt by itself."""
    return places([chunk for chunk in stores.quarantine.chunks(SPACE.slug, [KEY, OTHER]) if chunk.is_quarantined])


def test_a_chunk_is_quarantined_when_its_second_attempt_fails(failed: Stores) -> None:
    """After the first one it is pending, and not due before the back-off ends. The list and the counts agree."""
    vectorizer = make_vectorizer(failed.database, HashEmbedder())
    assert vectorizer.vectorize_partition(KEY).processed == 0
    assert [(item.quarantined, item.pending) for item in failed.status.status(SPACE.slug)] == [(0, 1), (0, 2)]
    assert failed.status.pending_partitions(SPACE.slug) == []
    counts = failed.quarantine.counts(SPACE.slug, [KEY, OTHER])
    assert (counts.pending, counts.quarantined, counts.next_attempt_at) == (3, 0, first_attempt(failed))

    failed.set_next_attempt("run of us", timedelta(seconds=-1))
    assert [(item.partition, item.pending) for item in failed.status.pending_partitions(SPACE.slug)] == [(KEY, 2)]
    vectorizer.vectorize_partition(KEY, run_id="second")

    assert quarantined(failed) == [("us", 1), ("us", 2)]
    assert [(item.quarantined, item.pending) for item in failed.status.status(SPACE.slug)] == [(0, 1), (2, 0)]
    assert failed.quarantine.counts(SPACE.slug, [KEY]) == FailureCounts(0, 2, None)
    assert vectorizer.vectorize_partition(KEY).processed == 0


def first_attempt(stores: Stores) -> datetime | None:
    """When the first of the failed chunks is due."""
    return min(item.next_attempt_at for item in stores.quarantine.chunks(SPACE.slug, [KEY, OTHER]))


def test_new_text_ends_the_quarantine(failed: Stores) -> None:
    """The list and the counts agree."""
    failed.quarantine.release(SPACE.slug, [KEY])
    make_vectorizer(failed.database, HashEmbedder()).vectorize_partition(KEY)
    assert quarantined(failed) == [("us", 1), ("us", 2)]

    failed.edit("POISON 1", "corrected")

    assert quarantined(failed) == [("us", 2)]
    assert [(item.quarantined, item.pending) for item in failed.status.status(SPACE.slug)] == [(0, 1), (1, 1)]


def test_a_vector_that_came_by_force_ends_the_quarantine(failed: Stores) -> None:
    """Nobody released the chunk."""
    vectorizer = make_vectorizer(failed.database, HashEmbedder(poison="nothing"))
    ((id_, _),) = failed.texts()["POISON 2"]

    vectorizer.vectorize_chunks([id_], force_revectorize=True)

    assert places(failed.quarantine.chunks(SPACE.slug, [KEY, OTHER])) == [("cn", 1), ("us", 1)]
    assert [item.pending for item in failed.status.status(SPACE.slug)] == [1, 1]


def test_each_space_has_a_quarantine_of_its_own(failed: Stores) -> None:
    """Another model may embed what this one cannot; its failures are listed and released apart."""
    other = replace(SPACE, model="other")
    embedder = HashEmbedder(other, poison="乙")
    vectorizer = make_vectorizer(failed.database, embedder)
    for key in (KEY, OTHER):
        vectorizer.vectorize_partition(key)

    assert places(failed.quarantine.chunks(other.slug, [KEY, OTHER])) == [("cn", 1)]
    assert places(failed.quarantine.chunks(SPACE.slug, [KEY, OTHER])) == [("cn", 1), ("us", 1), ("us", 2)]
    assert len(failed.quarantine.release(other.slug, [KEY, OTHER])) == 1
    assert failed.status.pending_partitions(SPACE.slug) == []


def test_released_chunks_are_pending_and_keep_their_attempts(failed: Stores) -> None:
    """Only those of the partitions asked for; another failure counts on, success removes them from the list."""
    quarantine = failed.quarantine
    make_vectorizer(failed.database, HashEmbedder()).vectorize_partition(KEY, force_revectorize=True, run_id="forced")

    released = quarantine.release(SPACE.slug, [KEY])

    assert list(released.values()) == [KEY, KEY]
    assert [(item.partition, item.pending) for item in failed.status.pending_partitions(SPACE.slug)] == [(KEY, 2)]
    assert quarantined(failed) == []
    assert quarantine.outcome(SPACE.slug, list(released)) == RetryOutcome(vectorized=0, quarantined=0, pending=2)

    make_vectorizer(failed.database, HashEmbedder(poison="POISON 2")).vectorize_partition(KEY, run_id="second")

    assert quarantine.outcome(SPACE.slug, list(released)) == RetryOutcome(vectorized=1, quarantined=1, pending=0)
    (again,) = quarantine.chunks(SPACE.slug, [KEY])
    assert (again.chunk_index, again.attempts, again.next_attempt_at, again.run_id) == (2, 3, None, "second")


def test_what_was_released_and_had_no_attempt_is_released_again(failed: Stores) -> None:
    """A retry that was stopped goes on where it was."""
    first = failed.quarantine.release(SPACE.slug, [KEY, OTHER])

    assert failed.quarantine.release(SPACE.slug, [KEY, OTHER]) == first


def test_a_deleted_chunk_is_not_counted(failed: Stores) -> None:
    """Its document was removed while it was tried again."""
    released = failed.quarantine.release(SPACE.slug, [OTHER])

    failed.delete_documents(OTHER)

    assert failed.quarantine.outcome(SPACE.slug, list(released)) == RetryOutcome(0, 0, 0)


def test_a_chunk_whose_failure_a_run_is_writing_is_passed_over(database: Database) -> None:
    """Neither waits for the other, so they cannot wait for each other for ever."""
    fail_some(database)

    with connect(database.url) as run, run.transaction():
        run.execute("UPDATE pending_chunks SET attempts = attempts + 1 WHERE run_id = 'run of cn'")

        assert set(Quarantine(database).release(SPACE.slug, [KEY, OTHER]).values()) == {KEY}
