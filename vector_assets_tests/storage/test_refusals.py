"""What is waited for, and what is reported at once because waiting would not help."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from vector_assets.errors import DatabaseError, DatabaseFailed, DatabaseFull, DatabaseStarting, DatabaseUnreachable
from vector_assets.storage.connections import open_connection
from vector_assets.storage.database import Database
from vector_assets.storage.database_creation import ensure_database
from vector_assets.storage.documents import PostgresDocumentStore
from vector_assets.storage.retries import Retries

from ..fakes import KEY, HashEmbedder, rows
from .interruptions import VECTORS, Waits, before_batch, database_with_chunks, vectorizer
from .servers import OwnServer, connect


@pytest.fixture
def database(database_url: URL, retries: Retries) -> Iterator[Database]:
    database = database_with_chunks(database_url, retries)
    yield database
    database.close()


def test_a_server_that_was_never_reached_is_not_waited_for(retries: Retries, waits: Waits) -> None:
    """A wrong port is reported at once."""
    database = Database(URL.create("postgresql+psycopg", "me", None, "127.0.0.1", 1, "db"), retries)

    with pytest.raises(DatabaseUnreachable):
        PostgresDocumentStore(database).unchunked_partitions("any")

    assert waits.count == 0


def test_a_server_that_is_stopping_is_waited_for(own: OwnServer, retries: Retries, waits: Waits) -> None:
    """Even by a process that had not reached it yet: it is there, it only takes nobody. So it is after a crash."""
    client = own.connect()
    own.stop("smart", wait=False)

    def refused() -> None:
        while True:
            open_connection(own.url.set(database="postgres"), Retries(seconds=0)).close()

    with pytest.raises(DatabaseStarting):
        refused()

    def restart() -> None:
        client.close()
        while (own.home / "postgres" / "postmaster.pid").exists():
            pass
        own.start()

    waits.during[2] = restart

    ensure_database(own.url, retries)

    assert waits.count == 2


@pytest.fixture
def locked(own: OwnServer) -> OwnServer:
    """A server that asks the role `guarded` for its password."""
    with own.connect() as admin:
        admin.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
        (file,) = admin.execute("SHOW hba_file").fetchone()
        hba = Path(file).read_text()
        Path(file).write_text("local all guarded scram-sha-256\n" + hba)
        admin.execute("SELECT pg_reload_conf()")
    return own


def test_a_wrong_password_is_reported_at_once(locked: OwnServer, retries: Retries, waits: Waits) -> None:
    """Though the server had been reached before, for the password may have changed since."""
    ensure_database(locked.url)
    database = Database(locked.url.set(username="guarded", password="wrong"), retries, reached=True)

    with pytest.raises(DatabaseUnreachable, match="password authentication failed") as caught:
        PostgresDocumentStore(database).unchunked_partitions("any")

    assert not caught.value.passes
    assert waits.count == 0


def test_a_database_that_is_gone_is_reported_at_once(database: Database, retries: Retries, waits: Waits) -> None:
    """Dropped after it had been reached."""
    gone = Database(database.url.set(database="never_there"), retries, reached=True)

    with pytest.raises(DatabaseUnreachable, match="does not exist"):
        PostgresDocumentStore(gone).unchunked_partitions("any")

    assert waits.count == 0


_RAISE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON {vectors} FOR EACH STATEMENT EXECUTE FUNCTION refuse();
"""


@pytest.mark.parametrize(
    ("statement", "error", "words"),
    [
        ("ALTER TABLE {vectors} RENAME TO elsewhere", DatabaseFailed, "42P01"),
        ("ALTER TABLE pending_chunks RENAME content_hash TO hash", DatabaseFailed, "42703"),
        (_RAISE, DatabaseFull, "Free some space"),
    ],
)
def test_what_does_not_pass_is_reported_at_once(
    statement: str, error: type[DatabaseError], words: str, database: Database, waits: Waits
) -> None:
    """A table or a column that is gone, a full disk (the server's own code for it): one line, no wait."""
    embedder = HashEmbedder()
    before_batch(embedder, 1, lambda: rows(database, statement.format(vectors=VECTORS)) and None)

    with pytest.raises(error, match=words) as caught:
        vectorizer(database, embedder).vectorize_partition(KEY)

    assert not caught.value.passes
    assert "\n" not in str(caught.value)
    assert waits.count == 0


def test_a_right_that_is_taken_away_is_reported_at_once(database: Database, retries: Retries, waits: Waits) -> None:
    """42501."""
    with connect(database.url) as admin:
        admin.execute("DROP ROLE IF EXISTS reader")
        admin.execute("CREATE ROLE reader LOGIN")
        admin.execute("GRANT USAGE ON SCHEMA vector_assets TO reader")
    reader = Database(database.url.set(username="reader"), retries, reached=True)

    with pytest.raises(DatabaseFailed, match="42501"):
        PostgresDocumentStore(reader).unchunked_partitions("any")

    assert waits.count == 0
    reader.close()
