"""Opens files below a folder, and none outside, whatever links are put in the way meanwhile."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# A link in the last place, or in a folder's, was put there after the path was resolved. A pipe without a writer must
# not be waited for.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


class LeadsOut(OSError):
    """The path, or a link in it, leads out of the folder."""


def open_below(root: Path, path: Path) -> BinaryIO:
    """Open a file for reading; links may be in its path if they stay below `root`.

    The resolved path is walked down folder by folder without following links, so that what is opened is what was
    checked, also if somebody swaps a file or folder for a link in between.

    Raises:
        LeadsOut: it lies, or would lie, outside.
        OSError: it cannot be opened, or is not a regular file.
    """
    root, target = Path(os.path.realpath(root)), Path(os.path.realpath(path))
    if not target.is_relative_to(root) or target == root:
        raise LeadsOut(errno.EXDEV, "it leads out of the folder", str(path))
    *folders, name = target.relative_to(root).parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            above, at = at, os.open(folder, _FOLDER, dir_fd=at)
            os.close(above)
        return _regular(os.open(name, _FILE, dir_fd=at), path)
    finally:
        os.close(at)


def _regular(descriptor: int, path: Path) -> BinaryIO:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a file", str(path))
    return open(descriptor, "rb")
