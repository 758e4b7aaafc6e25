"""What happens to a database in the middle of the work, each by its real means; and what work is not done again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import URL

from vector_assets.domain.batches import ChunkFailure, EmbeddedChunk
from vector_assets.domain.chunks import BEFORE_ALL_CHUNKS, ChunkSelection
from vector_assets.errors import DatabaseFailed, DatabaseUnreachable
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.database import Database
from vector_assets.storage.documents import PostgresDocumentStore
from vector_assets.storage.retries import MOST_ATTEMPTS, Retries
from vector_assets.storage.vectors import PostgresVectorStore

from ..fakes import KEY, SPACE, HashEmbedder, rows, store_chunks
from .interruptions import TEXTS, VECTORS, Waits, before_batch, database_with_chunks, vectorizer
from .proxy import Commit, Proxy
from .servers import OwnServer, connect


@pytest.fixture
def database(database_url: URL, retries: Retries) -> Iterator[Database]:
    database = database_with_chunks(database_url, retries)
    yield database
    database.close()


@pytest.fixture
def far(database: Database, proxy: Proxy, retries: Retries) -> Iterator[Database]:
    """The same database, over a network that can fail."""
    url = database.url.set(host="127.0.0.1", port=proxy.port, query={"sslmode": "disable", "gssencmode": "disable"})
    far = Database(url, retries, reached=True)
    yield far
    far.close()


PENDING_TEXTS = "SELECT text FROM pending_chunks p JOIN document_chunks c ON c.id = p.chunk_id"

# Stands in the way of every commit of a batch.
HOLD_VECTORS = f"LOCK TABLE {VECTORS} IN EXCLUSIVE MODE"


def assert_each_chunk_has_one_vector(database: Database, embedder: HashEmbedder) -> None:
    assert sorted(embedder.embedded) == sorted(TEXTS)
    counted = "SELECT count(*), count(DISTINCT chunk_id) FROM " + VECTORS
    assert rows(database, counted) == [(len(TEXTS), len(TEXTS))]
    assert rows(database, "SELECT count(*) FROM pending_chunks") == [(0,)]


def batch_of_all(database: Database) -> list[EmbeddedChunk]:
    """All chunks, embedded."""
    window = PostgresChunkStore(database, SPACE.slug).read_window(ChunkSelection(KEY), BEFORE_ALL_CHUNKS, 100)
    embedder = HashEmbedder()
    tokens = embedder.tokenize([chunk.text for chunk in window.chunks])
    return [EmbeddedChunk(*item) for item in zip(window.chunks, tokens, embedder.embed(tokens), strict=True)]


def commit(database: Database, batch: list[EmbeddedChunk], failures: Sequence[ChunkFailure] = ()) -> set[UUID]:
    return PostgresVectorStore(database, SPACE.slug).commit_batch(batch, failures, "run")


# Of the session that commits, once it waits for a lock that somebody else holds.
_WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'vector_assets'
"""


def waiting_process(connection: psycopg.Connection) -> int:
    """Look until a session of ours waits for a lock."""
    while True:
        row = connection.execute(_WAITING).fetchone()
        if row is not None:
            return row[0]


def in_thread(pool: ThreadPoolExecutor, database: Database, embedder: HashEmbedder) -> Future:
    return pool.submit(vectorizer(database, embedder).vectorize_partition, KEY)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_connection_ended_in_the_middle_of_a_commit_costs_nothing(
    database: Database, waits: Waits, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """pg_terminate_backend while the batch's transaction is open: the batch is committed once, and a line says so."""
    embedder = HashEmbedder()
    with connect(database.url) as user, connect(database.url) as admin:
        with user.transaction():
            user.execute(HOLD_VECTORS)
            running = in_thread(pool, database, embedder)
            admin.execute("SELECT pg_terminate_backend(%s)", (waiting_process(admin),))
            waits.begun.wait()
        report = running.result()

    assert report.vectorized_count == len(TEXTS)
    assert_each_chunk_has_one_vector(database, embedder)
    assert "attempt 2 in" in caplog.text
    assert "cannot reach the database" in caplog.text


def test_a_deadlock_with_another_program_costs_nothing(
    database: Database, waits: Waits, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """The commit holds a failed chunk's row of the queue and waits for the table; the other the other way round."""
    failed, *batch = batch_of_all(database)
    failure = ChunkFailure(failed.chunk, "Broken", "no")
    with connect(database.url) as user, connect(database.url) as admin:
        # Whoever looks first is the victim; let it be the commit, and late enough that there is something to see.
        admin.execute(f"ALTER DATABASE {database.url.database} SET deadlock_timeout = '2s'")
        database.close()
        user.execute("SET deadlock_timeout = '1min'")
        with user.transaction():
            user.execute(HOLD_VECTORS)
            running = pool.submit(commit, database, batch, [failure])
            waiting_process(admin)
            user.execute("UPDATE document_chunks SET text = 'edited' WHERE id = %s", [failed.chunk.id])
        stored = running.result()

    assert "40P01" in caplog.text
    assert waits.count
    assert stored == {item.chunk.id for item in batch}
    assert rows(database, f"SELECT count(*) FROM {VECTORS}") == [(len(batch),)]
    assert rows(database, PENDING_TEXTS) == [("edited",)]


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_a_time_limit_that_strikes_once_costs_nothing(
    limit: str, database: Database, waits: Waits, caplog: pytest.LogCaptureFixture
) -> None:
    """As an administrator sets it for a whole database; what stood in the way is named, and gone a moment later."""
    embedder = HashEmbedder()
    with connect(database.url) as user:
        user.execute(f"ALTER DATABASE {database.url.database} SET {limit} = '300ms'")
        database.close()
        user.execute("BEGIN")
        user.execute(HOLD_VECTORS)
        waits.during[1] = lambda: user.rollback()

        report = vectorizer(database, embedder).vectorize_partition(KEY)
        named = {"statement_timeout": "57014", "lock_timeout": f"server process {user.info.backend_pid} "}[limit]

    assert named in caplog.text
    assert report.vectorized_count == len(TEXTS)
    assert_each_chunk_has_one_vector(database, embedder)


def test_a_cancellation_ends_the_wait_for_a_lock(database: Database, waits: Waits, pool: ThreadPoolExecutor) -> None:
    """At once, and the transaction is not done again."""
    batch = batch_of_all(database)
    with connect(database.url) as user, connect(database.url) as admin, user.transaction():
        user.execute(HOLD_VECTORS)
        running = pool.submit(commit, database, batch)
        waiting_process(admin)

        database.cancel()
        error = running.exception()

    assert isinstance(error, DatabaseFailed)
    assert error.sqlstate == "57014"
    assert waits.count == 0


def test_a_time_limit_that_strikes_again_and_again_is_reported(database: Database, waits: Waits) -> None:
    """After a few attempts; the batch is not committed, and nothing is held."""
    batch = batch_of_all(database)
    with connect(database.url) as user:
        user.execute(f"ALTER DATABASE {database.url.database} SET statement_timeout = '100ms'")
        database.close()
        with user.transaction():
            user.execute(HOLD_VECTORS)

            with pytest.raises(DatabaseFailed, match="57014") as caught:
                commit(database, batch)

    assert caught.value.passes
    assert waits.count == MOST_ATTEMPTS - 1
    assert rows(database, f"SELECT count(*) FROM {VECTORS}") == [(0,)]


def test_a_statement_canceled_by_hand_is_done_again(database: Database, waits: Waits, pool: ThreadPoolExecutor) -> None:
    """pg_cancel_backend, as somebody who looks for slow statements does it."""
    embedder = HashEmbedder()
    with connect(database.url) as user, connect(database.url) as admin:
        with user.transaction():
            user.execute(HOLD_VECTORS)
            running = in_thread(pool, database, embedder)
            admin.execute("SELECT pg_cancel_backend(%s)", (waiting_process(admin),))
            waits.begun.wait()
        assert running.result().vectorized_count == len(TEXTS)

    assert_each_chunk_has_one_vector(database, embedder)


def test_a_serialization_failure_is_done_again_and_sees_the_new_text(
    database: Database, waits: Waits, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a database's default is repeatable read: promise 1 holds in the second attempt too."""
    embedder = HashEmbedder()
    with connect(database.url) as user, connect(database.url) as admin:
        admin.execute(f"ALTER DATABASE {database.url.database} SET default_transaction_isolation = 'repeatable read'")
        database.close()
        with user.transaction():
            user.execute(HOLD_VECTORS)
            running = in_thread(pool, database, embedder)
            waiting_process(admin)
            user.execute("UPDATE document_chunks SET text = 'edited' WHERE chunk_index = 0")
        report = running.result()

    assert "40001" in caplog.text
    assert (report.vectorized_count, report.superseded_count) == (len(TEXTS) - 1, 1)
    assert rows(database, PENDING_TEXTS) == [("edited",)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_restarts_in_the_middle_of_a_run_costs_nothing(
    mode: str, own: OwnServer, retries: Retries, waits: Waits
) -> None:
    """Stopped while a batch is embedded, by hand or by a crash; up again after some failed attempts."""
    database = database_with_chunks(own.url, retries)
    embedder = HashEmbedder()
    before_batch(embedder, 2, lambda: own.stop(mode))
    waits.during[3] = own.start

    report = vectorizer(database, embedder).vectorize_partition(KEY)

    assert report.vectorized_count == len(TEXTS)
    assert waits.count >= 3
    assert_each_chunk_has_one_vector(database, embedder)
    database.close()


def test_a_server_that_does_not_come_back_is_reported_and_the_next_run_does_the_rest(
    own: OwnServer, retries: Retries, waits: Waits
) -> None:
    """When patience is at its end; committed batches stay."""
    database = database_with_chunks(own.url, retries)
    retries.seconds = 0.05
    embedder = HashEmbedder()
    before_batch(embedder, 3, own.stop)

    with pytest.raises(DatabaseUnreachable) as caught:
        vectorizer(database, embedder).vectorize_partition(KEY)

    assert caught.value.passes
    assert waits.count
    own.start()
    kept = rows(database, f"SELECT count(*) FROM {VECTORS}")[0][0]
    assert kept % 4 == 0
    assert vectorizer(database, HashEmbedder()).vectorize_partition(KEY).vectorized_count == len(TEXTS) - kept
    database.close()


def test_a_network_that_goes_dark_for_a_while_costs_nothing(
    far: Database, database: Database, proxy: Proxy, waits: Waits
) -> None:
    """Every connection breaks, new ones are refused, then all is as before."""
    embedder = HashEmbedder()
    before_batch(embedder, 2, proxy.dark)
    waits.during[4] = proxy.light

    report = vectorizer(far, embedder).vectorize_partition(KEY)

    assert report.vectorized_count == len(TEXTS)
    assert waits.count >= 4
    assert_each_chunk_has_one_vector(database, embedder)


@pytest.mark.parametrize("commit", [Commit.ANSWER_IS_LOST, Commit.IS_LOST])
def test_a_commit_that_is_lost_is_repeated_and_reported_right(
    commit: Commit, far: Database, database: Database, proxy: Proxy, waits: Waits
) -> None:
    """Whether it had happened or not: each chunk is counted as stored, once, and has its vector.

    In the second case the server still holds the chunks for a client that is gone, and a commit passes over chunks
    that are held.
    """
    embedder = HashEmbedder()
    before_batch(embedder, 2, lambda: setattr(proxy, "commit", commit))

    report = vectorizer(far, embedder).vectorize_partition(KEY)

    assert proxy.commit == Commit.PASSES
    assert waits.count == 1
    assert (report.vectorized_count, report.superseded_count) == (len(TEXTS), 0)
    assert_each_chunk_has_one_vector(database, embedder)


def test_a_commit_whose_answer_was_lost_gives_way_to_a_newer_text(
    far: Database, database: Database, proxy: Proxy, waits: Waits
) -> None:
    """Edited between the two attempts: superseded, though the first one had stored it."""
    batch = batch_of_all(far)
    proxy.commit = Commit.ANSWER_IS_LOST
    edit = "UPDATE document_chunks SET text = 'edited' WHERE chunk_index = 0"
    waits.during[1] = lambda: rows(database, edit) and None

    stored = commit(far, batch)

    assert waits.count == 1
    assert len(stored) == len(TEXTS) - 1
    assert rows(database, PENDING_TEXTS) == [("edited",)]


def test_documents_are_saved_once_though_the_answer_was_lost(
    far: Database, database: Database, proxy: Proxy, waits: Waits
) -> None:
    """From an iterator that can be read only once, too."""
    proxy.commit = Commit.ANSWER_IS_LOST
    store_chunks(far, ["another"], KEY, "b.txt")

    assert waits.count == 1
    assert len(PostgresDocumentStore(database).known(KEY)) == 2


def test_a_wait_ends_when_somebody_asks_to_stop(own: OwnServer, retries: Retries, waits: Waits) -> None:
    """What the pause raises, in whichever threads, goes to whoever called; nobody waits to the end."""
    database = database_with_chunks(own.url, retries)
    retries.seconds = 3600
    embedder = HashEmbedder()
    before_batch(embedder, 2, own.stop)

    def stop() -> None:
        raise KeyboardInterrupt

    waits.during = dict.fromkeys(range(1, 100), stop)

    with pytest.raises(KeyboardInterrupt):
        vectorizer(database, embedder).vectorize_partition(KEY)

    own.start()
    database.close()
