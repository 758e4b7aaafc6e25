"""Servers that are not there, too old, or without pgvector; and passwords that are never shown."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import URL

from vector_assets.errors import (
    DatabaseError,
    DatabaseNotCreated,
    DatabaseReadOnly,
    DatabaseTooNew,
    DatabaseTooOld,
    DatabaseUnreachable,
    InvalidSetting,
    MigrationDue,
    NothingStoredYet,
    PgvectorMissing,
    RightMissing,
    SchemaTaken,
    WrongServerEncoding,
)
from vector_assets.storage.database import Database
from vector_assets.storage.database_creation import _create_database, ensure_database
from vector_assets.storage.database_url import connection_arguments, parse_url, printable_url
from vector_assets.storage.migrate import ensure_tables, migrate, tables_state
from vector_assets.storage.requirements import DatabaseFacts, require_creatable, require_usable
from vector_assets.storage.sessions import checked_schema
from vector_assets.storage.spaces import SpaceRegistry

from ..fakes import SPACE, rows, store_chunks
from .servers import connect


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "mysql://localhost/db",
        "postgresql://localhost",
        "",
        "postgresql://localhost/",
        "postgresql://localhost/a/b",
        "postgresql://localhost/a b",
        "'postgresql://localhost/db'",
        "jdbc:postgresql://localhost/db",
        "postgresql://localhost:port/db",
        "postgresql://localhost/db?port=x",
        "postgresql://localhost/db?dbname=other",
        "postgresql://localhost/db?user=one&user=two",
    ],
)
def test_what_is_no_url_of_a_postgres_database_is_refused(text: str) -> None:
    """Promise 11: one line with the form."""
    with pytest.raises(InvalidSetting, match="VECTOR_ASSETS_DATABASE_URL"):
        parse_url(text)


@pytest.mark.parametrize(
    "driver", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg", "PostgreSQL"]
)
def test_the_products_driver_is_put_in_place_of_any(driver: str) -> None:
    """A bare URL means another driver to every library; and a line end or a slash came along by accident."""
    assert parse_url(f" {driver}://u@h/d/\n") == URL.create("postgresql+psycopg", "u", host="h", database="d")


def test_an_at_sign_in_a_password_is_not_shown_as_a_host() -> None:
    """What follows it would be in every message."""
    with pytest.raises(InvalidSetting, match="%40") as caught:
        parse_url("postgresql://me:top@secret@localhost/db")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("postgresql://%2Frun%2Fpostgresql/db?client_encoding=LATIN1", "/run/postgresql"),
        ("postgresql://u@[fe80::1%25eth0]:5432/db", "fe80::1%eth0"),
    ],
)
def test_a_host_with_percent_signs_is_what_libpq_makes_of_it(text: str, host: str) -> None:
    """The directory of a socket, or the zone of an address; and sessions are in UTF-8 whatever else is asked for."""
    arguments = connection_arguments(parse_url(text))

    assert (arguments["host"], arguments["client_encoding"]) == (host, "UTF8")


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


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://role:p%40ss@host:5433/filings?sslmode=require&application_name=a b",
        "postgresql:///filings?host=/run/postgresql",
        "postgresql://role@/filings?host=one,two&port=5432,5433",
        "postgresql://role@/filings?host=one:5432&host=two:5433",
        "postgresql://role@/filings?host=one:5433",
    ],
)
def test_a_url_means_what_sqlalchemy_makes_of_it(text: str) -> None:
    """Whether its dialect is asked, which takes a while to import, or not."""
    url = parse_url(text)
    _, expected = url.get_dialect()().create_connect_args(url)

    assert connection_arguments(url).items() >= expected.items()


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


# A database in which everything can be made.
GOOD = DatabaseFacts(
    postgres=180004,
    database="filings",
    role="app",
    encoding="UTF8",
    read_only=False,
    may_create_schema=True,
    has_schema=False,
    may_use_schema=False,
    may_create_in_schema=False,
    relations=[],
    pgvector="0.8.5",
    pgvector_schema="public",
    may_use_pgvector=True,
    may_create_in_public=False,
)
THERE = {"has_schema": True, "may_use_schema": True, "may_create_in_schema": True}


@pytest.mark.parametrize(
    ("lacks", "error", "fix"),
    [
        ({"postgres": 120022}, DatabaseTooOld, "PostgreSQL 12"),
        ({"pgvector": "0.5.1"}, DatabaseTooOld, r"pgvector 0\.5\.1"),
        ({"encoding": "LATIN1"}, WrongServerEncoding, "ENCODING 'UTF8'"),
        ({"has_schema": True}, RightMissing, 'GRANT USAGE ON SCHEMA filings_vectors TO "app"'),
        ({"pgvector_schema": "ext", "may_use_pgvector": False}, RightMissing, 'GRANT USAGE ON SCHEMA "ext" TO "app"'),
        ({"read_only": True}, DatabaseReadOnly, "default_transaction_read_only = off"),
        ({**THERE, "relations": ["documents", "orders"]}, SchemaTaken, r"documents, orders.*VECTOR_ASSETS_SCHEMA"),
        ({**THERE, "may_create_in_schema": False}, RightMissing, "GRANT CREATE ON SCHEMA filings_vectors"),
        ({"may_create_schema": False}, RightMissing, 'CREATE SCHEMA filings_vectors AUTHORIZATION "app"'),
        ({**THERE, "pgvector": None, "may_create_schema": False}, PgvectorMissing, "CREATE EXTENSION vector"),
    ],
)
def test_what_a_database_lacks_is_named_before_anything_is_made(
    lacks: dict[str, object], error: type[DatabaseError], fix: str
) -> None:
    """Promise 11: one line with what an owner does about it."""

    def require(facts: DatabaseFacts) -> None:
        require_usable(facts, "filings_vectors")
        require_creatable(facts, "filings_vectors")

    require(GOOD)

    with pytest.raises(error, match=fix) as caught:
        require(GOOD._replace(**lacks))

    assert "\n" not in str(caught.value)


def test_a_server_without_pgvector_is_said_so(server_url: URL) -> None:
    """Promise 11: a role that may create schemas, and no extension that only a superuser may create."""
    url = server_url.set(database="no_extension")
    ensure_database(url)
    _administer(
        url,
        "DROP ROLE IF EXISTS nobody_much",
        "CREATE ROLE nobody_much LOGIN",
        "GRANT CREATE ON DATABASE no_extension TO nobody_much",
    )

    with pytest.raises(PgvectorMissing, match="CREATE EXTENSION vector"):
        migrate(url.set(username="nobody_much"))

    with connect(url) as connection:
        assert connection.execute("SELECT to_regnamespace('vector_assets')").fetchone() == (None,)


def test_a_role_without_rights_is_reported_and_nothing_is_made(server_url: URL) -> None:
    """Promise 11: on a real server, pgvector in a schema of its own; with the right it works."""
    url = server_url.set(database="no_rights")
    ensure_database(url)
    _administer(
        url,
        "DROP ROLE IF EXISTS guest",
        "CREATE ROLE guest LOGIN",
        "CREATE SCHEMA ext",
        "CREATE EXTENSION vector SCHEMA ext",
        "ALTER ROLE guest SET search_path = nowhere",
    )
    guest = url.set(username="guest")

    for owner_does in ("GRANT USAGE ON SCHEMA ext TO guest", "CREATE SCHEMA vector_assets AUTHORIZATION guest"):
        with pytest.raises(RightMissing) as caught:
            migrate(guest)
        assert owner_does.replace("ext", '"ext"').replace("guest", '"guest"') == caught.value.statement
        _administer(url, owner_does)
    migrate(guest)

    database = Database(guest)
    SpaceRegistry(database).register_first(SPACE)
    database.close()


def test_sql_ascii_is_given_utf8(server_url: URL) -> None:
    """A cluster that was made in the C locale. A process that only reads makes no tables."""
    ascii_ = "CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'"
    _administer(server_url.set(database="postgres"), ascii_)
    url = server_url.set(database="ascii")
    with pytest.raises(NothingStoredYet, match="VECTOR_ASSETS_SCHEMA"):
        ensure_tables(url, creates=False)
    ensure_tables(url)

    database = Database(url)
    store_chunks(database, ["贵州茅台年度报告"])

    assert rows(database, "SELECT text FROM document_chunks") == [("贵州茅台年度报告",)]
    database.close()


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
    newer = "UPDATE alembic_version SET version_num = '9999'"
    _administer(database_url, newer, "UPDATE compatibility SET oldest_revision = '9000'")

    with pytest.raises(DatabaseTooNew, match=r"revision 9999.*Upgrade vector_assets") as caught:
        ensure_tables(database_url)

    assert "\n" not in str(caught.value)
    _administer(database_url, "UPDATE compatibility SET oldest_revision = '0001'")
    ensure_tables(database_url)  # which it can work with


def test_a_shared_database_is_migrated_by_the_command_alone(database_url: URL) -> None:
    """Other processes of an older version may be at work there; the embedded server belongs to one home."""
    _administer(database_url, "UPDATE alembic_version SET version_num = '0000'")
    shared = database_url.difference_update_query(["fallback_application_name"])

    with pytest.raises(MigrationDue, match="vector-assets migrate"):
        ensure_tables(shared)
    assert tables_state(shared).is_due


def test_the_tables_may_lie_in_any_schema(server_url: URL) -> None:
    """Two in one database, side by side, and another program's tables of the same names in public."""
    url = server_url.set(database="two_schemas")
    ensure_database(url)
    _administer(url, "CREATE TABLE public.documents (id int)", "CREATE TABLE public.alembic_version (version_num text)")
    for schema in ("first_one", "second_one"):
        migrate(url, schema=schema)
    first, second = Database(url, schema="first_one"), Database(url, schema="second_one")

    store_chunks(first, ["one", "two"])

    assert rows(first, "SELECT count(*) FROM document_chunks") == [(2,)]
    assert rows(second, "SELECT count(*) FROM document_chunks") == [(0,)]
    first.close()
    second.close()


@pytest.mark.parametrize("name", ["", "Filings", "a-b", "a b", "1a", "pg_own", "a" * 64, 'a"; DROP', "数据"])
def test_a_name_that_no_schema_can_have_is_refused(name: str) -> None:
    """Promise 11: before any connection."""
    with pytest.raises(InvalidSetting, match="VECTOR_ASSETS_SCHEMA"):
        checked_schema(name)


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
