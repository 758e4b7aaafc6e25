"""Servers that are not there, too old, or without pgvector; and passwords that are never shown."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import URL

from vector_assets.errors import (
    DatabaseNotCreated,
    DatabaseTooNew,
    DatabaseTooOld,
    DatabaseUnreachable,
    InvalidSetting,
    PgvectorMissing,
)
from vector_assets.storage.database import Database
from vector_assets.storage.database_url import parse_url, printable_url
from vector_assets.storage.migrate import _create_database, _create_extension, check_versions, ensure_database, migrate

from .servers import connect


@pytest.mark.parametrize("text", ["nonsense", "mysql://localhost/db", "postgresql://localhost", ""])
def test_what_is_no_url_of_a_postgres_database_is_refused(text: str) -> None:
    """Promise 11: one line with the form."""
    with pytest.raises(InvalidSetting, match="VECTOR_ASSETS_DATABASE_URL"):
        parse_url(text)


@pytest.mark.parametrize("driver", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_the_products_driver_is_put_in_place_of_any(driver: str) -> None:
    """A bare URL means another driver to every library."""
    assert parse_url(f"{driver}://u@h/d").drivername == "postgresql+psycopg"


def test_unknown_parameters_are_refused() -> None:
    """Promise 11: before a connection is tried, and only those that libpq does not know."""
    with pytest.raises(InvalidSetting, match=r"VECTOR_ASSETS_DATABASE_URL.*parameter nosuch"):
        parse_url("postgresql://u:topsecret@h/d?nosuch=1&sslmode=require")

    assert parse_url("postgresql://u@h/d?sslmode=require&application_name=a%20b").query["sslmode"] == "require"


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("postgresql://me:topsecret@h:5433/d?sslmode=require", "postgresql://me:***@h:5433/d?sslmode=require"),
        ("postgresql://me@h/d", "postgresql://me@h/d"),
        ("postgresql://me:@h/d", "postgresql://me@h/d"),
        ("postgresql://h/d?user=me&password=topsecret", "postgresql://h/d?user=me"),
    ],
)
def test_asterisks_stand_for_a_password_that_is_there(url: str, printed: str) -> None:
    """No password is shown, and none is claimed."""
    assert printable_url(parse_url(url)) == printed


def test_a_blank_in_a_parameter_arrives(database_url: URL) -> None:
    """SQLAlchemy writes it as "+", libpq does not read that as a blank."""
    ensure_database(database_url.update_query_dict({"options": "-c search_path=public -c work_mem=8MB"}))


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:topsecret@127.0.0.1:1/db", "postgresql://127.0.0.1:1/db?user=me&password=topsecret"],
)
def test_an_unreachable_server_is_one_line_without_the_password(url: str) -> None:
    """Promise 11: what is wrong, and how to fix it."""
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
    """Promise 11: the extension's absence is distinguished from other failures."""

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


def test_a_role_that_may_not_create_the_extension_is_reported(server_url: URL) -> None:
    """Promise 11: on a real server, with a role that owns nothing."""
    url = server_url.set(database="no_rights")
    ensure_database(url)
    with connect(url) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_much")
        connection.execute("CREATE ROLE nobody_much LOGIN")

    with pytest.raises(PgvectorMissing):
        migrate(url.set(username="nobody_much"))


def _administer(url: URL, *statements: str) -> None:
    with connect(url) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def closed_postgres(server_url: URL) -> Iterator[URL]:
    """The server, for a role that may create nothing and may not connect to the database `postgres`."""
    _administer(
        server_url.set(database="postgres"),
        "DROP ROLE IF EXISTS tenant",
        "CREATE ROLE tenant LOGIN",
        "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC",
    )
    yield server_url.set(username="tenant")
    _administer(server_url.set(database="postgres"), "GRANT CONNECT ON DATABASE postgres TO PUBLIC")


def test_a_role_needs_no_other_database_than_its_own(closed_postgres: URL, database_url: URL) -> None:
    """A database that is there is asked first."""
    ensure_database(closed_postgres.set(database=database_url.database))


@pytest.mark.parametrize("database", ["filings", "filings_dagster"])
def test_a_database_that_may_not_be_created_is_reported_with_the_statement(server_url: URL, database: str) -> None:
    """Promise 11: what an owner runs; for Dagster's, that another may be named."""
    postgres = server_url.set(database="postgres")
    _administer(postgres, "DROP ROLE IF EXISTS tenant", "CREATE ROLE tenant LOGIN")

    with pytest.raises(DatabaseNotCreated) as caught:
        ensure_database(server_url.set(username="tenant", database=database))

    message = str(caught.value)
    assert f'run CREATE DATABASE "{database}" OWNER "tenant"' in message
    assert "permission denied" in message
    assert ("VECTOR_ASSETS_DAGSTER_DATABASE_URL" in message) == database.endswith("_dagster")
    assert "\n" not in message


def test_a_database_is_missing_and_postgres_is_closed(closed_postgres: URL) -> None:
    """The same fix: nothing else can be tried."""
    with pytest.raises(DatabaseNotCreated, match='run CREATE DATABASE "filings" OWNER "tenant"'):
        ensure_database(closed_postgres.set(database="filings"))


def test_a_database_that_is_closed_to_the_role_is_not_called_missing(server_url: URL, database_url: URL) -> None:
    """The server's own reason is reported, though it names the database as well."""
    name = database_url.database
    _administer(
        server_url.set(database="postgres"),
        "DROP ROLE IF EXISTS tenant",
        "CREATE ROLE tenant LOGIN",
        f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
    )

    with pytest.raises(DatabaseUnreachable, match=f'permission denied for database "{name}"'):
        ensure_database(database_url.set(username="tenant"))


def test_a_database_that_another_process_made_meanwhile_is_taken(database_url: URL) -> None:
    """Between being refused and looking again."""
    _create_database(database_url, psycopg.OperationalError(f'database "{database_url.database}" does not exist'))


def test_tables_of_a_newer_version_are_left_alone(database_url: URL) -> None:
    """Promise 11: the fix is an upgrade."""
    _administer(database_url, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(DatabaseTooNew, match=r"revision 9999.*Upgrade vector_assets") as caught:
        migrate(database_url)

    assert "\n" not in str(caught.value)


def test_many_processes_may_start_on_an_empty_server_at_once(server_url: URL) -> None:
    """One creates and migrates, the others wait; all find the tables."""
    url = server_url.set(database="started_at_once")
    errors: list[BaseException] = []

    def start() -> None:
        try:
            ensure_database(url)
            migrate(url)
        except BaseException as error:  # reported by the assertion below
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
