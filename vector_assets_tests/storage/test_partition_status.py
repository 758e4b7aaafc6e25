"""Every chunk is current, pending or quarantined, exactly one of them."""

from dataclasses import replace

from vector_assets.domain.chunks import BEFORE_ALL_CHUNKS, ChunkSelection
from vector_assets.domain.coverage import TokenTotals
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.quality.distribution import Distribution
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.last_runs import LastRuns
from vector_assets.storage.partition_status import PartitionStatusQueries

from ..fakes import KEY, SPACE, HashEmbedder, make_live, make_vectorizer, quarantine_failed, rows, store_chunks
from ..stores import Stores
from .servers import connect

OTHER = PartitionKey("cn", "announcement", "999001")


def test_the_counts_follow_the_tables(database: Database) -> None:
    """Before, during and after a run, and after an edit."""
    coverage = PartitionStatusQueries(database)
    store_chunks(database, ["a", "b", "POISON"])
    store_chunks(database, ["其他"], OTHER)
    assert [item.pending for item in coverage.status(None)] == [1, 3]

    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, run_id="run 1")
    quarantine_failed(database, HashEmbedder())
    LastRuns(database).record(KEY, SPACE.slug, report)
    rows(database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'a'")

    other, status = coverage.status(SPACE.slug)
    assert (other.partition, other.pending, other.last_run) == (OTHER, 1, None)
    assert (status.chunks, status.current, status.pending, status.quarantined) == (3, 1, 1, 1)
    assert status.coverage == 1 / 3
    assert status.last_run is not None
    assert (status.last_run.run_id, status.last_run.chunks, status.last_run.tokens) == ("run 1", 3, 3)
    assert status.last_run.chunks_per_second == report.chunks_per_second
    assert coverage.partition_status(KEY, SPACE.slug) == status


def test_every_chunk_is_current_pending_or_quarantined(stores: Stores) -> None:
    """Before and after a run and after an edit; pending is counted from the later of text and space."""
    store_chunks(stores.database, ["a", "b", "POISON"])
    store_chunks(stores.database, ["其他"], OTHER)
    assert [(item.partition, item.pending) for item in stores.status.status(None)] == [(OTHER, 1), (KEY, 3)]

    make_vectorizer(stores.database, HashEmbedder()).vectorize_partition(KEY)
    assert stores.status.partition_status(KEY, SPACE.slug).pending == 1  # failed once, and not due
    assert [item.partition for item in stores.status.pending_partitions(SPACE.slug)] == [OTHER]
    quarantine_failed(stores.database, HashEmbedder())
    stores.edit("a", "edited")

    other, status = stores.status.status(SPACE.slug)
    assert (other.pending, other.last_run) == (1, None)
    assert (status.chunks, status.current, status.pending, status.quarantined) == (3, 1, 1, 1)
    assert stores.status.partition_status(KEY, SPACE.slug) == status
    assert [item.pending_since is not None for item in (other, status)] == [True, True]
    pending = stores.status.pending_partitions(SPACE.slug)
    assert [(item.partition, item.pending) for item in pending] == [(OTHER, 1), (KEY, 1)]
    assert [item.pending for item in stores.status.pending_partitions("another")] == [1, 3]


def test_quarantined_chunks_are_not_pending(stores: Stores) -> None:
    """Otherwise the sensor would start runs for them for ever."""
    store_chunks(stores.database, ["POISON"])
    coverage = stores.status
    make_vectorizer(stores.database, HashEmbedder()).vectorize_partition(KEY)
    quarantine_failed(stores.database, HashEmbedder())

    assert coverage.pending_partitions(SPACE.slug) == []
    stores.edit("POISON", "corrected")
    assert [item.pending for item in coverage.pending_partitions(SPACE.slug)] == [1]


def test_token_totals_are_of_all_vectors_that_the_partition_has(database: Database) -> None:
    """Those of earlier runs too: what was truncated then is truncated still."""
    last_runs, long = LastRuns(database), " ".join(["word"] * (SPACE.max_tokens + 6))
    for number, text in enumerate([long, "short one"]):
        store_chunks(database, [text], name=f"{number}.txt")
        vectorizer = make_vectorizer(database, HashEmbedder())
        last_runs.record(KEY, SPACE.slug, vectorizer.vectorize_partition(KEY))

    token_totals = PartitionStatusQueries(database).partition_status(KEY, SPACE.slug).token_totals

    assert token_totals == TokenTotals(tokens=SPACE.max_tokens + 8, tokens_lost=6, truncated_chunks=1)
    assert PartitionStatusQueries(database).status(None)[0].token_totals == TokenTotals()


def test_waiting_begins_when_the_oldest_pending_chunk_became_pending(database: Database) -> None:
    """With its text, whatever else was changed of it since, or with the space, if the text is older."""
    coverage, other = PartitionStatusQueries(database), replace(SPACE, model="other")
    store_chunks(database, ["a", "b", "POISON"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)
    quarantine_failed(database, HashEmbedder())
    assert coverage.partition_status(KEY, SPACE.slug).pending_since is None  # the quarantined one waits for nobody
    oldest_text = "SELECT min(updated_at) FROM document_chunks"
    assert coverage.partition_status(KEY, other.slug).pending_since == rows(database, oldest_text)[0][0]

    edited = [
        rows(database, f"UPDATE document_chunks SET text = 'new {text}' WHERE text = '{text}' RETURNING updated_at")
        for text in ("a", "b", "new a")
    ]
    rows(database, "UPDATE document_chunks SET chunk_index = chunk_index + 10")
    oldest = edited[1][0][0]
    assert coverage.partition_status(KEY, SPACE.slug).pending_since == oldest
    assert [item.pending_since for item in coverage.pending_partitions(SPACE.slug)] == [oldest]

    make_live(database, other)
    made = rows(database, "SELECT created_at FROM embedding_spaces WHERE slug = %s", other.slug)[0][0]
    assert coverage.partition_status(KEY, other.slug).pending_since == made


def test_a_run_that_stored_nothing_is_no_last_run(database: Database) -> None:
    """The former one still says how fast this partition goes."""
    store_chunks(database, ["a"])
    vectorizer, last_runs = make_vectorizer(database, HashEmbedder()), LastRuns(database)
    for run_id in ("first", "second"):
        last_runs.record(KEY, SPACE.slug, vectorizer.vectorize_partition(KEY, run_id=run_id))

    last_run = PartitionStatusQueries(database).partition_status(KEY, SPACE.slug).last_run

    assert last_run is not None
    assert last_run.run_id == "first"


def test_what_the_vectors_are_like_is_kept_for_the_next_run(database: Database) -> None:
    """As it was given; of another space, nobody knows."""
    store_chunks(database, ["a", "b"])
    distribution = Distribution(SPACE.dimension)
    report = make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY, distribution=distribution)
    last_runs = LastRuns(database)
    assert last_runs.summary(KEY, SPACE.slug) is None

    last_runs.record(KEY, SPACE.slug, report, distribution.summary)

    kept = last_runs.summary(KEY, SPACE.slug)
    assert kept is not None
    assert kept.to_dict() == distribution.summary.to_dict()
    assert last_runs.summary(KEY, "another_space") is None


def test_a_partition_without_chunks_is_empty_and_complete(stores: Stores) -> None:
    """Nothing to do is not a gap."""
    status = stores.status.partition_status(OTHER, None)

    assert (status.chunks, status.pending, status.coverage) == (0, 0, 1.0)


def test_the_digest_changes_with_the_texts_only(stores: Stores) -> None:
    """The data version of an unchanged partition stays."""
    coverage = stores.status
    store_chunks(stores.database, ["a", "b"])
    before = coverage.content_digest(KEY)

    stores.shift_indices(5)
    assert coverage.content_digest(KEY) == before
    stores.edit("a", "c")
    assert coverage.content_digest(KEY) != before
    for text, new_text in [("b", "a"), ("c", "b")]:  # the two chunks have changed places
        stores.edit(text, new_text)

    assert coverage.content_digest(KEY) == before


def test_what_is_pending_is_counted_without_reading_the_chunks(database: Database) -> None:
    """It costs what is pending, not what there is: the queue alone answers, whoever holds the table of chunks."""
    store_chunks(database, ["a", "b", "POISON"])
    make_vectorizer(database, HashEmbedder()).vectorize_partition(KEY)
    rows(database, "UPDATE document_chunks SET text = 'edited' WHERE text = 'a'")
    selection = ChunkSelection(partition=KEY)

    with connect(database.url) as holder, holder.transaction():
        holder.execute("LOCK TABLE document_chunks IN ACCESS EXCLUSIVE MODE")
        partitions = PartitionStatusQueries(database).pending_partitions(SPACE.slug)
        pending = PostgresChunkStore(database, SPACE.slug).count_pending(selection)

    assert ([item.pending for item in partitions], pending) == ([1], 1)


def test_a_partitions_queue_is_found_by_its_key(database: Database) -> None:
    """A window of a partition costs what it holds, not what is pending elsewhere."""
    make_live(database)
    row = "INSERT INTO pending_chunks (space, market, doc_type, stock_code, chunk_id, content_hash) "
    rows(
        database,
        row + f"SELECT '{SPACE.slug}', 'us', 'a', n % 100, gen_random_uuid(), '' FROM generate_series(1, 20000) n",
    )
    rows(database, "ANALYZE pending_chunks")

    plan = rows(
        database,
        f"EXPLAIN SELECT chunk_id FROM pending_chunks WHERE (space, market, doc_type, stock_code) = "
        f"('{SPACE.slug}', 'us', 'a', '7') AND chunk_id > '{BEFORE_ALL_CHUNKS}' AND next_attempt_at <= now() "
        "ORDER BY chunk_id LIMIT 10"
    )  # fmt: skip

    found = "\n".join(line for (line,) in plan)
    assert "pending_chunks_pkey" in found
    assert "Sort" not in found
