"""Parses documents in a process apart, which may hang, grow or crash without harm to this one."""

import os
import signal
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from ..domain.wording import readable_bytes
from ..errors import DocumentError, DocumentTooLarge, DocumentTooSlow, ReaderNotStarted, UnreadableDocument
from .document_limits import MOST_MEMORY, MOST_SECONDS
from .reader_worker import FAILED, NO_MEMORY, TEXT
from .readers import PLAIN, text_of


class ReaderApart:
    """Reads documents one after another in a child process, started for the first that needs it.

    Only a process truly bounds a parser: C code deep in one page looks at no deadline, a thread cannot be stopped, and
    what a bomb unfolds to, or a crash, would take the run along, with the database that it may serve. One process for
    many documents costs a start (0.1 s) a partition, not a document. It is told to end itself by its own alarm clock,
    which works when this process is gone, too. Not `multiprocessing`: it would import the caller's main module anew.
    """

    def __init__(self, seconds: float = MOST_SECONDS, memory: int = MOST_MEMORY) -> None:
        self._seconds = seconds
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
        self._forget()

    def read(self, data: bytes, suffix: str, document: str) -> str:
        """`text_of`, within the bounds of time and memory.

        Raises:
            DocumentError: the document cannot be used; the subclass says why.
            ReaderNotStarted: no document is at fault.
        """
        # Decoding does nothing that could take long.
        if suffix.lower() in PLAIN:
            return text_of(data, suffix, document)
        connection = self._connection or self._start()
        try:
            for part in (document.encode(), suffix.encode(), data):
                connection.send_bytes(part)
            kind, words = connection.recv_bytes().decode(), connection.recv_bytes().decode()
        except (EOFError, OSError) as error:
            raise self._why_it_ended(document) from error
        if kind == TEXT:
            return words
        raise self._refusal(kind, words, document)

    def _start(self) -> Connection:
        here, there = Pipe()
        arguments = [str(there.fileno()), str(self._seconds), str(self._memory)]
        command = [sys.executable, "-P", "-m", f"{__package__}.reader_worker", *arguments]
        try:
            with there:
                self._process = subprocess.Popen(  # noqa: S603 - this very Python, and nothing of a document
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[there.fileno()],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                    start_new_session=True,
                )
            here.recv_bytes()
        except (EOFError, OSError) as error:
            here.close()
            self.close()
            raise ReaderNotStarted(sys.executable, str(error) or "it ended at once") from error
        self._connection = here
        return here

    def _forget(self) -> int:
        """Take leave of a process that has ended or will at once; returns its exit code."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        return process.wait() if process is not None else 0

    def _refusal(self, kind: str, words: str, document: str) -> DocumentError:
        if kind not in (NO_MEMORY, FAILED):
            return DocumentError.retold(kind, document, words)
        # Who knows in what state it is.
        self.close()
        if kind == FAILED:
            return UnreadableDocument(document, f"the reader failed on it ({words})")
        return DocumentTooLarge(document, f"reading it takes more than {readable_bytes(self._memory)} of memory")

    def _why_it_ended(self, document: str) -> DocumentError:
        code = self._forget()
        if code == -signal.SIGALRM:
            return DocumentTooSlow(document, self._seconds)
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return UnreadableDocument(document, f"the reader crashed on it ({how})")
