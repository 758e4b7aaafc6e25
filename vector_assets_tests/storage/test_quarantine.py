"""What failed is listed with its error, freed, and counted on."""

import psycopg
import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.quarantine import QuarantinedChunk, RetryOutcome
from vector_assets.storage.database import Database
from vector_assets.storage.partition_status import PartitionStatusQueries
from vector_assets.storage.quarantine import Quarantine

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks

OTHER = PartitionKey("cn", "announcement", "999001")


@pytest.fixture
def quarantine(database: Database) -> Quarantine:
    """Two partitions with two bad chunks and one, each with a good one beside it."""
    store_chunks(database, ["a", "POISON 1", "POISON 2"])
    store_chunks(database, ["甲", "POISON 乙"], OTHER)
    vectorizer = make_vectorizer(database, HashEmbedder())
    for key in (KEY, OTHER):
        vectorizer.vectorize_partition(key, run_id=f"run of {key.market}")
    return Quarantine(database)


def places(chunks: list[QuarantinedChunk]) -> list[tuple[str, int]]:
    """Market and index of each."""
    return [(chunk.partition.market, chunk.chunk_index) for chunk in chunks]


def test_what_failed_is_listed_in_order(quarantine: Quarantine) -> None:
    """By partition, document and index, with all that is known of it."""
    found = quarantine.chunks(SPACE.slug, [KEY, OTHER])

    assert places(found) == [("cn", 1), ("us", 1), ("us", 2)]
    first = found[0]
    assert (first.document, first.error, first.message) == (f"{OTHER}/a.txt", "ValueError", "poison")
    assert (first.attempts, first.next_attempt_at, first.run_id) == (1, None, "run of cn")
    assert places(quarantine.chunks(SPACE.slug, [KEY, OTHER], limit=2)) == [("cn", 1), ("us", 1)]
    assert places(quarantine.chunks(SPACE.slug, [OTHER])) == [("cn", 1)]
    assert quarantine.chunks(SPACE.slug, []) == []
    assert quarantine.chunks("another_space", [KEY, OTHER]) == []


def test_the_list_agrees_with_the_status(quarantine: Quarantine, database: Database) -> None:
    """After new text, a due attempt and a vector that came by another way, none of them is quarantined any more."""
    rows(database, "UPDATE document_chunks SET text = 'mended' WHERE text = 'POISON 1'")
    rows(database, "UPDATE chunk_failures SET next_attempt_at = now() + interval '1 day'")
    assert places(quarantine.chunks(SPACE.slug, [KEY, OTHER])) == [("cn", 1), ("us", 2)]
    assert [item.quarantined for item in PartitionStatusQueries(database).status(SPACE.slug)] == [1, 1]

    rows(database, "UPDATE chunk_failures SET next_attempt_at = now() - interval '1 day' WHERE run_id = 'run of cn'")
    rows(database, "UPDATE document_chunks SET vectorized_at = now() WHERE text = 'POISON 2'")

    assert quarantine.chunks(SPACE.slug, [KEY, OTHER]) == []
    assert [item.quarantined for item in PartitionStatusQueries(database).status(SPACE.slug)] == [0, 0]


def test_freed_chunks_are_pending_and_keep_their_attempts(quarantine: Quarantine, database: Database) -> None:
    """Only those of the partitions asked for; failing again counts on, success strikes off the list."""
    freed = quarantine.release(SPACE.slug, [KEY])

    assert list(freed.values()) == [KEY, KEY]
    assert [
        (item.partition, item.pending) for item in PartitionStatusQueries(database).pending_partitions(SPACE.slug)
    ] == [(KEY, 2)]
    assert places(quarantine.chunks(SPACE.slug, [KEY, OTHER])) == [("cn", 1)]
    assert quarantine.outcome(SPACE.slug, list(freed)) == RetryOutcome(vectorized=0, quarantined=0, pending=2)

    make_vectorizer(database, HashEmbedder(poison="POISON 2")).vectorize_partition(KEY, run_id="second")

    assert quarantine.outcome(SPACE.slug, list(freed)) == RetryOutcome(vectorized=1, quarantined=1, pending=0)
    (again,) = quarantine.chunks(SPACE.slug, [KEY])
    assert (again.chunk_index, again.attempts, again.next_attempt_at, again.run_id) == (2, 2, None, "second")


def test_what_was_freed_and_had_no_turn_is_freed_again(quarantine: Quarantine) -> None:
    """A retry that was stopped goes on where it was."""
    first = quarantine.release(SPACE.slug, [KEY, OTHER])

    assert quarantine.release(SPACE.slug, [KEY, OTHER]) == first


def test_a_chunk_that_goes_away_counts_nowhere(quarantine: Quarantine, database: Database) -> None:
    """Its document was removed while it was being tried again."""
    freed = quarantine.release(SPACE.slug, [OTHER])
    rows(database, "DELETE FROM documents WHERE market = 'cn'")

    assert quarantine.outcome(SPACE.slug, list(freed)) == RetryOutcome(0, 0, 0)


def test_a_chunk_that_a_run_is_deciding_on_is_passed_over(quarantine: Quarantine, database: Database) -> None:
    """Neither waits for the other, so they cannot wait for each other for ever."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as run:
        run.execute("UPDATE chunk_failures SET attempts = attempts + 1 WHERE run_id = 'run of cn'")

        assert set(quarantine.release(SPACE.slug, [KEY, OTHER]).values()) == {KEY}
