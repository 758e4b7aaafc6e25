"""Servers that are not there, too old, or without pgvector; and passwords that are never shown."""

import threading

import psycopg
import pytest
from sqlalchemy import URL

from vector_assets.errors import DatabaseTooOld, DatabaseUnreachable, InvalidSetting, PgvectorMissing
from vector_assets.storage.database import Database, parse_url
from vector_assets.storage.migrate import _create_extension, check_versions, ensure_database, migrate


@pytest.mark.parametrize("text", ["nonsense", "mysql://localhost/db", "postgresql://localhost", ""])
def test_what_is_no_url_of_a_postgres_database_is_refused(text: str) -> None:
    """Promise 11: one line with the form."""
    with pytest.raises(InvalidSetting, match="VECTOR_ASSETS_DATABASE_URL"):
        parse_url(text)


@pytest.mark.parametrize("driver", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_the_products_driver_is_put_in_place_of_any(driver: str) -> None:
    """A bare URL means another driver to every library."""
    assert parse_url(f"{driver}://u@h/d").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:topsecret@127.0.0.1:1/db", "postgresql://127.0.0.1:1/db?user=me&password=topsecret"],
)
def test_an_unreachable_server_is_one_line_without_the_password(url: str) -> None:
    """Promise 11: what is wrong, and how to mend it."""
    with pytest.raises(DatabaseUnreachable) as caught:
        migrate(parse_url(url))

    assert "topsecret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "VECTOR_ASSETS_DATABASE_URL" in str(caught.value)


def test_old_versions_are_named() -> None:
    """PostgreSQL and pgvector each have a least version."""
    check_versions(180004, "0.8.5")
    with pytest.raises(DatabaseTooOld, match="PostgreSQL 12"):
        check_versions(120022, "0.8.5")
    with pytest.raises(DatabaseTooOld, match=r"pgvector 0\.5\.1"):
        check_versions(180004, "0.5.1")


def test_a_server_without_pgvector_is_said_so(server_url: URL) -> None:
    """Promise 11: the extension's absence is told apart from other failures."""

    class WithoutPgvector:
        """A connection to a server whose administrator has not installed the extension."""

        def execute(self, query: str):
            if query.startswith("CREATE EXTENSION"):
                raise psycopg.errors.FeatureNotSupported('extension "vector" is not available')
            return self

        def fetchone(self) -> None:
            return None

    with pytest.raises(PgvectorMissing, match="CREATE EXTENSION vector"):
        _create_extension(WithoutPgvector(), server_url)


def test_a_role_that_may_not_create_the_extension_is_told(server_url: URL) -> None:
    """Promise 11: on a real server, with a role that owns nothing."""
    url = server_url.set(database="no_rights")
    ensure_database(url)
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_much")
        connection.execute("CREATE ROLE nobody_much LOGIN")

    with pytest.raises(PgvectorMissing):
        migrate(url.set(username="nobody_much"))


def test_many_processes_may_start_on_an_empty_server_at_once(server_url: URL) -> None:
    """One creates and migrates, the others wait; all find the tables."""
    url = server_url.set(database="started_at_once")
    errors: list[BaseException] = []

    def start() -> None:
        try:
            ensure_database(url)
            migrate(url)
        except BaseException as error:  # told by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    database = Database(url)
    with database.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM document_chunks").fetchone() == (0,)
    database.close()


def test_migrating_again_changes_nothing(database_url: URL) -> None:
    """Every process does it at its start."""
    migrate(database_url)
    migrate(database_url)
