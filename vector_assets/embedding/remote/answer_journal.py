"""The answers of a server that a run has not committed yet, in files where the next run finds them after a kill."""

import fcntl
import logging
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ...translation import translate

logger = logging.getLogger(__name__)

Row = NDArray[np.float32]

# Two files of this size take turns, so that the last answers are always there: far more than those of all batches that
# are in work at once.
_MOST_BYTES = 64 * 1024 * 1024
_HASH_BYTES, _CHECKSUM_BYTES = 32, 4
# What no run has asked for within a week belongs to a space or a document that is not embedded any more.
_LONGEST_KEPT_SECONDS = 7 * 86_400


class FileAnswerJournal:
    """The `AnswerJournal` port over files of this machine. Threads may share it.

    A file belongs to whoever has locked it. The system unlocks it when its process ends, however that is. Each record
    has a checksum, so that what was written half, or lost with the machine's power, is not taken for an answer.

    Args:
        folder: holds the files of all runs; is made when it is needed.
        name: what a run and the one that continues it have in common: space and partition.
        dimension: the numbers of each vector.
    """

    def __init__(self, folder: Path, name: str, dimension: int) -> None:
        self._folder = folder
        self._name = name
        self._dimension = dimension
        self._record_bytes = _HASH_BYTES + 4 * dimension + _CHECKSUM_BYTES
        self._stem = f"{name}.{uuid4().hex}"
        self._lock = threading.Lock()
        self._own: list[FileIO] = []
        self._size = 0
        self._failed = False
        self._taken = list(self._lock_left())
        self._left = {digest: row for file in self._taken for digest, row in self._records(file.read())}

    def take(self, hashes: Sequence[bytes]) -> dict[bytes, Row]:
        """Give the vectors that killed runs have left of texts with these hashes, each once."""
        with self._lock:
            if not self._left:
                return {}
            found = {digest: self._left.pop(digest, None) for digest in hashes}
        return {digest: row for digest, row in found.items() if row is not None}

    def keep(self, vectors: Mapping[bytes, Row]) -> None:
        """Keep vectors until the run has ended. Where the disk refuses, the run goes on without."""
        records = b"".join(self._record(digest, row) for digest, row in vectors.items())
        with self._lock:
            if self._failed or not records:
                return
            try:
                self._append(records)
            except OSError as error:
                self._failed = True
                logger.warning(
                    translate("answers cannot be kept for a killed run ({error}); the work goes on", error=error)
                )

    def close(self, forget: bool) -> None:
        """End the run. Forget what was kept, because it is committed or wrong; else leave it to the next run."""
        for file in (*self._own, *self._taken):
            if forget:
                Path(file.name).unlink(missing_ok=True)
            file.close()

    def _append(self, records: bytes) -> None:
        if not self._own or self._size + len(records) > _MOST_BYTES:
            self._begin_file()
        if self._own[-1].write(records) < len(records):
            raise OSError("the disk is full")
        self._size += len(records)

    def _begin_file(self) -> None:
        """Begin a file, in place of the last but one."""
        if len(self._own) == 2:
            Path(self._own[0].name).unlink(missing_ok=True)
            self._own.pop(0).close()
        self._folder.mkdir(parents=True, exist_ok=True)
        file = (self._folder / f"{self._stem}.{uuid4().hex[:8]}").open("xb", buffering=0)
        self._own.append(file)
        self._size = 0
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _lock_left(self) -> Iterator[BinaryIO]:
        """Give the files that no process has any more, and remove the old ones."""
        with suppress(OSError):
            for path in sorted(self._folder.iterdir()):
                with suppress(FileNotFoundError):
                    is_old = path.stat().st_mtime < time.time() - _LONGEST_KEPT_SECONDS
                    if not is_old and not path.name.startswith(f"{self._name}."):
                        continue
                    file = path.open("rb")
                    if _is_locked(file):
                        file.close()
                    elif is_old:
                        path.unlink()
                        file.close()
                    else:
                        yield file

    def _record(self, digest: bytes, row: Row) -> bytes:
        content = digest + row.astype("<f4").tobytes()
        return content + zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "little")

    def _records(self, content: bytes) -> Iterator[tuple[bytes, Row]]:
        for start in range(0, len(content) - self._record_bytes + 1, self._record_bytes):
            record = content[start : start + self._record_bytes]
            checked, checksum = record[:-_CHECKSUM_BYTES], record[-_CHECKSUM_BYTES:]
            if zlib.crc32(checked) == int.from_bytes(checksum, "little"):
                yield checked[:_HASH_BYTES], np.frombuffer(checked[_HASH_BYTES:], "<f4")


def _is_locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
