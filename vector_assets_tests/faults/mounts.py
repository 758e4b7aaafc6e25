"""File systems that are small or read-only, seen by one program and what it starts, and gone with them.

A program asks for a mount namespace of its own; whoever is not root asks for a user namespace too, in which that is
allowed. Some systems forbid both to ordinary users, and some containers to everybody.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_RDONLY, _MS_REMOUNT, _MS_REC, _MS_PRIVATE = 1, 32, 16384, 1 << 18


def private_mounts() -> None:
    """From now on this process, which must have one thread only, mounts for itself and its children alone."""
    user, group = os.geteuid(), os.getegid()
    _call("unshare", _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER)
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _mount("none", Path("/"), "", _MS_REC | _MS_PRIVATE, "")


def mount_small(folder: Path, size: int) -> None:
    """An empty file system with room for so many bytes."""
    _mount("tmpfs", folder, "tmpfs", 0, f"size={size},mode=0755")


def resize(folder: Path, size: int) -> None:
    """Give it more room, or less."""
    _mount("tmpfs", folder, "tmpfs", _MS_REMOUNT, f"size={size}")


def make_read_only(folder: Path) -> None:
    """What is there can be read, and nothing can be written; not even by root."""
    copy = Path(tempfile.mkdtemp())
    shutil.copytree(folder, copy / "all", symlinks=True)
    _mount("tmpfs", folder, "tmpfs", 0, "mode=0755")
    shutil.copytree(copy / "all", folder, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(copy)
    _mount("tmpfs", folder, "tmpfs", _MS_REMOUNT | _MS_RDONLY, "")


@cache
def forbidden() -> str:
    """Why this cannot be had on this system; empty if it can."""
    if sys.platform != "linux":
        return "private mounts are Linux's"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", __name__, folder]
        tried = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return f"no private mounts here: {tried.stderr.strip().splitlines()[-1]}" if tried.returncode else ""


def _mount(source: str, target: Path, kind: str, flags: int, data: str) -> None:
    _call("mount", source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    private_mounts()
    mount_small(Path(sys.argv[1]), 1 << 20)
