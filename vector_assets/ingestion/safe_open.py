"""Files below a folder are opened, and no file outside it, even if links are put into the path at the same time."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# The path is resolved before it is opened, so a link in it was put there afterwards and is not followed. A named pipe
# without a writer must not block the process.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class OutsideFolder(OSError):
    """The path, or a link in it, leads out of the folder."""


def open_below(root: Path, path: Path) -> BinaryIO:
    """Open a file for reading. Its path may contain links, as long as they stay below `root`.

    The folders of the resolved path are opened one after another without following links. So the file that is opened is
    the file that was checked, even if a file or folder is replaced by a link in between.

    Raises:
        OutsideFolder: the file is outside the folder.
        OSError: the file cannot be opened, or is not a regular file.
    """
    root, target = Path(os.path.realpath(root)), Path(os.path.realpath(path))
    if not target.is_relative_to(root) or target == root:
        raise OutsideFolder(errno.EXDEV, "it leads out of the folder", str(path))
    *folders, name = target.relative_to(root).parts
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            parent, descriptor = descriptor, os.open(folder, _OPEN_FOLDER, dir_fd=descriptor)
            os.close(parent)
        return _regular_file(os.open(name, _OPEN_FILE, dir_fd=descriptor), path)
    finally:
        os.close(descriptor)


def _regular_file(descriptor: int, path: Path) -> BinaryIO:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return open(descriptor, "rb")
