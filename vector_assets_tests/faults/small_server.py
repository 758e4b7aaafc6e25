"""A PostgreSQL server with a small file system, as its test sees it."""

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import Self

import psycopg
from sqlalchemy import URL

from .places import SECONDS, administrator

# Row by row: as a table in FROM, the numbers would be put on the disk first.
_ENDLESS = "SELECT repeat('x', 8191), generate_series(1, 1000000)"


class SmallServer:
    """See server_program.py. `folder` must be one that every user may enter."""

    def __init__(self, folder: Path, size: int, what: str) -> None:
        self.disk = folder / "disk"
        self._command = [sys.executable, "-m", f"{__package__}.server_program", str(folder), str(size), what]
        self.url = URL.create(
            "postgresql+psycopg", username="postgres", database="filings", query={"host": str(folder / "socket")}
        )
        self._lines: Queue[str] = Queue()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        self.wait_for("ready to accept connections")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(SECONDS)

    def _read(self) -> None:
        for line in self._process.stderr:
            self._lines.put(line)

    def wait_for(self, words: str) -> None:
        """A line of the server's log."""
        while words not in self._lines.get(timeout=SECONDS):
            pass

    def fill(self) -> None:
        """Until no byte is left."""
        with administrator(self.url) as connection, suppress(psycopg.errors.DiskFull):
            connection.execute(f"COPY ({_ENDLESS}) TO '{self.disk}/ballast'")

    def empty(self) -> None:
        """Free what `fill` took."""
        with administrator(self.url) as connection:
            connection.execute(f"COPY (SELECT) TO '{self.disk}/ballast'")
