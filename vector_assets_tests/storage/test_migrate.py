"""Migrations that meet runs at work, other processes that start, and limits that an administrator has set."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import URL

from vector_assets.storage import migrate as migrations
from vector_assets.storage.database import Database
from vector_assets.storage.database_creation import ensure_database
from vector_assets.storage.migrate import migrate
from vector_assets.storage.retries import Retries

from ..fakes import KEY, HashEmbedder, make_vectorizer, rows, store_chunks
from .servers import connect, wait_until_waiting

# Takes two tables in the order in which a run does not.
NEXT = """
from alembic import op

revision, down_revision = "9001", {head!r}


def upgrade():
    op.execute("LOCK TABLE documents IN ACCESS EXCLUSIVE MODE")
    op.execute("LOCK TABLE document_chunks IN ACCESS EXCLUSIVE MODE")
    op.execute("CREATE TABLE made_by_9001 ()")
"""


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of the project with one more migration."""
    add_migration(tmp_path, monkeypatch)


def add_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more, until the end of the test."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.MIGRATIONS, folder)
    (folder / "versions" / "9001_next.py").write_text(NEXT.format(head=migrations.HEAD))
    monkeypatch.setattr(migrations, "MIGRATIONS", folder)
    monkeypatch.setattr(migrations, "HEAD", "9001")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.usefixtures("next_version")
def test_a_migration_that_runs_into_a_deadlock_is_done_again(database_url: URL, pool: ThreadPoolExecutor) -> None:
    """It is rolled back whole, the run goes on, and then the migration does."""
    again: list[float] = []
    retries = Retries(first_wait=0.01)
    retries.pause = again.append
    with connect(database_url) as run, connect(database_url) as admin:
        admin.execute(f"ALTER DATABASE {database_url.database} SET deadlock_timeout = '2s'")
        run.execute("SET deadlock_timeout = '1min'")
        with run.transaction():
            run.execute("LOCK TABLE document_chunks IN ROW EXCLUSIVE MODE")
            migrating = pool.submit(migrate, database_url, retries)
            wait_until_waiting(admin, migrating)
            run.execute("LOCK TABLE documents IN ROW EXCLUSIVE MODE")
        migrating.result()

        assert again
        assert admin.execute(
            "SELECT version_num, to_regclass('made_by_9001') IS NULL FROM alembic_version"
        ).fetchone() == (
            "9001",
            False,
        )


@pytest.mark.usefixtures("next_version")
def test_a_run_goes_on_while_a_migration_runs(database_url: URL, pool: ThreadPoolExecutor) -> None:
    """The migration waits for the batch at work, the next batches for the migration; nothing is lost or done twice."""
    database = Database(database_url)
    store_chunks(database, [f"chunk {number}" for number in range(12)])
    embedder = HashEmbedder()
    vectorizer = make_vectorizer(database, embedder)
    started = []

    def migrate_meanwhile(_: list[str]) -> None:
        if not started:
            started.append(pool.submit(migrate, database_url))

    embedder.before = migrate_meanwhile

    report = vectorizer.vectorize_partition(KEY)

    started[0].result()
    assert report.vectorized_count == 12
    assert len(embedder.embedded) == 12
    assert rows(database, "SELECT version_num FROM alembic_version") == [("9001",)]
    database.close()


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_limits_on_statements_are_not_meant_for_migrations(
    limit: str, server_url: URL, pool: ThreadPoolExecutor
) -> None:
    """Nor for the wait while another process migrates."""
    url = server_url.set(database=f"limited_{limit}")
    ensure_database(url)
    with connect(url) as other, connect(url) as admin:
        admin.execute(f"ALTER DATABASE {url.database} SET {limit} = '300ms'")
        other.execute("SELECT pg_advisory_lock(%s)", [migrations._MIGRATION_LOCK])
        migrating = pool.submit(migrate, url)
        wait_until_waiting(admin, migrating)
        admin.execute("SELECT pg_sleep(0.5)")
        other.execute("SELECT pg_advisory_unlock_all()")

        migrating.result()

        assert admin.execute("SELECT count(*) FROM document_chunks").fetchone() == (0,)
