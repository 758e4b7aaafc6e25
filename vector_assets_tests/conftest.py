"""A real PostgreSQL for the session, and a database of its own for every test that asks for one."""

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import psycopg
import pytest
from sqlalchemy import URL

from vector_assets.storage.database import Database
from vector_assets.storage.database_creation import ensure_database
from vector_assets.storage.embedded_server import leave_embedded_server, start_embedded_server
from vector_assets.storage.migrate import migrate
from vector_assets.translation import use_language

from .embedding.embedders import ENGLISH
from .embedding.shared_models import SharedModels
from .memory.database import MemoryDatabase
from .snapshots import Snapshots
from .storage.proxy import Proxy
from .storage.servers import create_copy
from .stores import Stores, stores_of

# Hypothesis fails an example that takes longer than 200 ms, which on a busy machine says nothing of the code.
hypothesis.settings.register_profile("any_machine", deadline=None)
hypothesis.settings.load_profile("any_machine")

# Half of the time in which tests are collected went to looking for garbage among what their imports make and keep.
gc.disable()

TEMPLATE = "vector_assets_template"
DAGSTER_TEMPLATE = "dagster_template"

# Nothing of this server's has to survive a crash of the machine.
UNSAFE = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()")

# A file system in memory, where a copy of the template takes a tenth of the time. It holds some ten databases at once.
MEMORY, NEEDED_BYTES = Path("/dev/shm"), 2 << 30

LONGEST = (
    "cli/test_launched_backfill.py",
    "browser/test_browser.py",
    "faults/test_dagster.py",
    "test_readme.py",
    "faults/test_sensor.py",
)
"""Files that wait for Dagster's own processes for a minute and more: whoever starts with them ends earlier."""

TORCH = "vector_assets_tests/embedding/"
"""The tests that import torch and transformers, which takes six seconds of a core: one process does, for all."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one process, and all files that import torch to the same; with `--dist loadfile` only."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return TORCH if nodeid.startswith(TORCH) else super()._split_scope(nodeid)

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest files, so that the last workers do not wait for one of them."""
    folder = Path(__file__).parent
    places = {folder / name: place for place, name in enumerate(LONGEST)}
    embedding = folder / "embedding"

    def place(item: pytest.Item) -> int:
        return places.get(item.path, len(places) + (embedding not in item.path.parents))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """From now on, look for garbage among what the tests themselves make."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where a shell that starts the suite in the background has it ignored."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.fixture(scope="session", autouse=True)
def settings_of_commands() -> Iterator[None]:
    """Commands that tests start print English, whatever the locale of the machine is, and load the smaller model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VECTOR_ASSETS_LANGUAGE", "en")
        patch.setenv("EMBEDDING_MODEL", ENGLISH)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread_of_torch() -> Iterator[None]:
    """Each process computes in one thread: several test processes share the cores, and threads of OpenMP wait busily.

    Torch reads the variable when it is imported, so before that.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    """A test that switches to Chinese leaves English to the next one."""
    yield
    use_language("en")


@pytest.fixture(autouse=True)
def environment_afterwards() -> Iterator[None]:
    """A test that sets variables of this process, as commands do for Dagster, leaves none of them to the next one."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="session")
def server_url() -> Iterator[URL]:
    """A server that stops with the test process, in memory if there is room. Tests of crashes have theirs on a disk.

    Not under pytest's own folder: when another pytest starts, it takes from that the permissions that the server,
    which as root runs under a user of its own, was given.
    """
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > NEEDED_BYTES
    with tempfile.TemporaryDirectory(dir=MEMORY if in_memory else None) as home:
        url = start_embedded_server(Path(home))
        with administration(url) as connection:
            for statement in UNSAFE:
                connection.execute(statement)
        yield url
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
    with administration(server_url) as connection:
        create_copy(connection, name, TEMPLATE)
    yield server_url.set(database=name)
    with administration(server_url) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"DROP DATABASE IF EXISTS {name}_dagster WITH (FORCE)")


@pytest.fixture(scope="session")
def dagster_template(server_url: URL) -> None:
    """Dagster's empty tables, which take it half a second, in a database that others are copied from."""
    from dagster_postgres import DagsterPostgresStorage

    url = server_url.set(database=DAGSTER_TEMPLATE)
    ensure_database(url)
    tables = url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    DagsterPostgresStorage(tables, should_autocreate_tables=True).event_log_storage.dispose()


@pytest.fixture
def dagster_database(database_url: URL, dagster_template: None) -> None:
    """Dagster's storage beside the test's own database."""
    with administration(database_url) as connection:
        create_copy(connection, f"{database_url.database}_dagster", DAGSTER_TEMPLATE)


@pytest.fixture(scope="session")
def snapshots(server_url: URL) -> Snapshots:
    """Copies of test databases, which are there as long as the server."""
    return Snapshots()


@pytest.fixture
def database(database_url: URL) -> Iterator[Database]:
    """The same, connected."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def memory() -> MemoryDatabase:
    """An empty database in memory, for tests that need nothing that only PostgreSQL has."""
    return MemoryDatabase()


@pytest.fixture(params=["postgres", "memory"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """All stores over an empty database: PostgreSQL's, then those in memory, which pass the same tests."""
    return stores_of(request.getfixturevalue("database" if request.param == "postgres" else "memory"))


@pytest.fixture
def proxy(server_url: URL) -> Iterator[Proxy]:
    """A network that can fail."""
    proxy = Proxy(Path(str(server_url.query["host"])) / ".s.PGSQL.5432")
    yield proxy
    proxy.dark()


def administration(url: URL) -> psycopg.Connection:
    """Connect to the server of the URL, in autocommit mode, to create and drop databases."""
    postgres = url.set(drivername="postgresql", database="postgres")
    return psycopg.connect(postgres.render_as_string(hide_password=False), autocommit=True)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """An empty landing directory."""
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def shared_models() -> SharedModels:
    """Models that are converted once for all test processes."""
    return SharedModels()


@pytest.fixture(scope="session")
def converted_models(shared_models: SharedModels) -> Path:
    """Holds the converted models. For tests that do not try the conversion itself; they only read the folder."""
    return shared_models.converted


@pytest.fixture(scope="session")
def tiny_model(shared_models: SharedModels) -> Path:
    """A random model of a few thousand weights."""
    return shared_models.tiny


@pytest.fixture
def home_with_models(tmp_path: Path, converted_models: Path) -> Path:
    """A home directory in which the models are converted already."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(converted_models)
    return home
