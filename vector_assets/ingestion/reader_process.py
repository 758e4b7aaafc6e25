"""Documents are read in a child process, which may hang, grow or crash without harm to this process."""

import os
import signal
import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from ..domain.documents import DocumentText
from ..domain.wording import readable_bytes
from ..errors import DocumentError, DocumentTooLarge, DocumentTooSlow, ReaderNotStarted, UnreadableDocument
from .document_limits import MAX_READ_MEMORY, MAX_READ_SECONDS
from .reader_worker import FAILED, NO_MEMORY, TEXT
from .readers import extract_text, is_plain_text


class ReaderProcess:
    """Reads documents one after another in a child process, which is started for the first document that needs it.

    Only a process of its own can limit a parser. C code that works on one page checks no deadline, and a thread cannot
    be stopped. A file that unfolds to gigabytes, or a crash, would end the run and a database server that it hosts.

    One process reads many documents, so that its start (0.1 s) is paid once for a partition. It ends itself by its own
    alarm clock, which works even when this process is gone. It is not a process of `multiprocessing`, which would
    import the main module of the caller again.
    """

    def __init__(self, seconds: float = MAX_READ_SECONDS, memory: int = MAX_READ_MEMORY) -> None:
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
        self._wait_for_exit()

    def read(self, data: bytes, suffix: str, document: str) -> DocumentText:
        """Return what `extract_text` returns, within the limits of time and memory.

        Raises:
            DocumentError: the document cannot be used; the subclass says why.
            ReaderNotStarted: the process cannot be started; no document is at fault.
        """
        # Decoding plain text takes neither long nor much memory, so it needs no process.
        if is_plain_text(data, suffix):
            return extract_text(data, suffix, document)
        connection = self._connection or self._start()
        try:
            for message in (document.encode(), suffix.encode(), data):
                connection.send_bytes(message)
            kind, answer, warning = (connection.recv_bytes().decode() for _ in range(3))
        except (EOFError, OSError) as error:
            raise self._error_of_ended_process(document) from error
        if kind == TEXT:
            return DocumentText(answer, warning)
        raise self._error_of_answer(kind, answer, document)

    def _start(self) -> Connection:
        connection, worker_end = Pipe()
        arguments = [str(worker_end.fileno()), str(self._seconds), str(self._memory)]
        command = [sys.executable, "-P", "-m", f"{__package__}.reader_worker", *arguments]
        try:
            with worker_end:
                self._process = subprocess.Popen(  # noqa: S603 - this Python itself; no argument comes from a document
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[worker_end.fileno()],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                    start_new_session=True,
                )
            connection.recv_bytes()
        except (EOFError, OSError) as error:
            connection.close()
            self.close()
            raise ReaderNotStarted(sys.executable, str(error) or "it ended at once") from error
        self._connection = connection
        return connection

    def _wait_for_exit(self) -> int:
        """Wait for a process that has ended or will end at once, and return its exit code."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        return process.wait() if process is not None else 0

    def _error_of_answer(self, kind: str, message: str, document: str) -> DocumentError:
        if kind not in (NO_MEMORY, FAILED):
            return DocumentError.from_code(kind, document, message)
        # The state of the process is unknown after such an error.
        self.close()
        if kind == FAILED:
            return UnreadableDocument(document, f"the reader failed on it ({message})")
        return DocumentTooLarge(document, f"reading it takes more than {readable_bytes(self._memory)} of memory")

    def _error_of_ended_process(self, document: str) -> DocumentError:
        code = self._wait_for_exit()
        if code == -signal.SIGALRM:
            return DocumentTooSlow(document, self._seconds)
        reason = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return UnreadableDocument(document, f"the reader crashed on it ({reason})")
