"""A network of a few programs' own, which can go silent: what is sent is lost, and nobody is told.

python -m vector_assets_tests.faults.network FOLDER

The program becomes a PostgreSQL server in such a network, on port 5432 of 127.0.0.1. Its socket in the folder can be
reached by everybody, all the while. Other programs join the network by the server's process.

It imports little, for a process with several threads may not have a namespace of its own.

The loopback device of a namespace is taken down and up again. Addresses and routes stay, so that whoever sends or
connects has no error: the packets go nowhere.
"""

import ctypes
import os
import pwd
import shutil
import socket
import struct
import subprocess
import sys
from fcntl import ioctl
from functools import cache
from pathlib import Path

from .mounts import private_mounts
from .server_program import PROGRAMS

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

_SETTINGS = {
    "listen_addresses": "127.0.0.1", "shared_buffers": "16MB", "fsync": "off", "autovacuum": "off",
    # Its own view of the silence: clients of which nothing is heard are gone within seconds.
    "tcp_keepalives_idle": "1", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "2", "tcp_user_timeout": "2s",
}  # fmt: skip


def private_network() -> None:
    """From now on this process, which must have one thread only, and what it starts are alone in a network."""
    private_mounts()  # whoever is not root may do this in a user namespace only, which that asks for
    _call("unshare", _CLONE_NEWNET)
    speak()


def join_network(process: int) -> None:
    """Enter the network of another process of the same user. This one must have one thread only."""
    spaces = ("net",) if os.geteuid() == 0 else ("user", "net")
    for space in spaces:
        with Path(f"/proc/{process}/ns/{space}").open() as file:
            _call("setns", file.fileno(), 0)


def silence() -> None:
    """Lose all packets, on connections old and new."""
    _set_up(False)


def speak() -> None:
    """Let packets through again."""
    _set_up(True)


def unacknowledged() -> int:
    """Bytes that were sent in this network and of which the sender does not know yet that they have arrived."""
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    return sum(int(line.split()[4].split(":")[0], 16) for line in lines)


def _set_up(up: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))


@cache
def forbidden() -> str:
    """Why this cannot be had on this system; empty if it can."""
    if sys.platform != "linux":
        return "private networks are Linux's"
    tried = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, timeout=60)
    return f"no private network here: {tried.stderr.strip().splitlines()[-1]}" if tried.returncode else ""


def become_server(folder: Path) -> None:
    """As root, under the user that the embedded server runs under too."""
    private_network()
    folders = [folder / "socket", folder / "data"]
    for each in folders:
        each.mkdir()
    if os.geteuid() == 0:
        user = pwd.getpwnam("pgserver")
        for each in folders:
            shutil.chown(each, user.pw_uid, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    options = ["-U", "postgres", "--auth=trust", "--no-sync", "--encoding=utf8"]
    subprocess.run([PROGRAMS / "initdb", "-D", folder / "data", *options], check=True, stdout=subprocess.DEVNULL)
    settings = {**_SETTINGS, "unix_socket_directories": str(folder / "socket")}
    given = [f"-c{name}={value}" for name, value in settings.items()]
    os.execv(PROGRAMS / "postgres", [str(PROGRAMS / "postgres"), "-D", str(folder / "data"), *given])


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        become_server(Path(sys.argv[1]))
    private_network()
    silence()
