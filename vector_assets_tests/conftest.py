"""A real PostgreSQL for the session, and a database of its own for every test that asks for one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from sqlalchemy import URL

from vector_assets.storage.database import Database
from vector_assets.storage.embedded_server import leave_embedded_server, start_embedded_server
from vector_assets.storage.migrate import ensure_database, migrate

from .storage.proxy import Proxy

# Hypothesis fails an example that takes longer than 200 ms, which on a busy machine says nothing of the code.
hypothesis.settings.register_profile("any_machine", deadline=None)
hypothesis.settings.load_profile("any_machine")

TEMPLATE = "vector_assets_template"


@pytest.fixture(scope="session")
def server_url() -> Iterator[URL]:
    """A server that stops with the test process.

    Not under pytest's own folder: when another pytest starts, it takes from that the permissions that the server,
    which as root runs under a user of its own, was given.
    """
    with tempfile.TemporaryDirectory() as home:
        yield start_embedded_server(Path(home))
        leave_embedded_server(Path(home))


@pytest.fixture(scope="session")
def template(server_url: URL) -> URL:
    """A migrated, empty database that others are copied from."""
    url = server_url.set(database=TEMPLATE)
    ensure_database(url)
    migrate(url)
    return url


@pytest.fixture
def database_url(server_url: URL, template: URL) -> Iterator[URL]:
    """A migrated, empty database of the test's own."""
    name = f"test_{uuid4().hex}"
    with _administration(server_url) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield server_url.set(database=name)
    with _administration(server_url) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP DATABASE IF EXISTS {name}_dagster WITH (FORCE)")


@pytest.fixture
def database(database_url: URL) -> Iterator[Database]:
    """The same, connected."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def proxy(server_url: URL) -> Iterator[Proxy]:
    """A network that can fail."""
    proxy = Proxy(Path(str(server_url.query["host"])) / ".s.PGSQL.5432")
    yield proxy
    proxy.dark()


def _administration(url: URL) -> psycopg.Connection:
    postgres = url.set(drivername="postgresql", database="postgres")
    return psycopg.connect(postgres.render_as_string(hide_password=False), autocommit=True)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """An empty landing directory."""
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder
