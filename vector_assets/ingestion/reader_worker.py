"""The process that parses one document after another: `python -m vector_assets.ingestion.reader_worker`.

Its parent is `reader_process.py`, which says why there is such a process.
"""

import resource
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection

from ..errors import DocumentError
from .readers import text_of

TEXT, NO_MEMORY, FAILED = "text", "no memory", "failed"
"""The first word of an answer, or else the code of a `DocumentError`; the second is the text, or the message."""


def main() -> None:
    """Serve the parent at the other end of a pipe until it is closed.

    Arguments: the pipe's number, seconds for one document, bytes of memory.
    """
    descriptor, seconds, memory = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    _settle(memory)
    # Closed by the parent, or by the parent's death.
    with Connection(descriptor) as parent, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        parent.send_bytes(b"ready")
        while True:
            document, suffix = parent.recv_bytes().decode(), parent.recv_bytes().decode()
            data = parent.recv_bytes()
            signal.setitimer(signal.ITIMER_REAL, seconds)
            answer = _answer(data, suffix, document)
            signal.setitimer(signal.ITIMER_REAL, 0)
            for word in answer:
                parent.send_bytes(word.encode(errors="replace"))


def _settle(memory: int) -> None:
    """Leave stopping to the parent and the clock, and bound the memory."""
    # Who stops the parent, with Ctrl-C or a whole group of processes at once, must not make a document look bad.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Without a handler the alarm ends the process in the middle of any C code; parents may have passed on other ways.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    with suppress(ValueError, OSError):  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _answer(data: bytes, suffix: str, document: str) -> tuple[str, str]:
    try:
        return TEXT, text_of(data, suffix, document)
    except DocumentError as error:
        return error.code, str(error)
    except MemoryError:
        return NO_MEMORY, ""
    except Exception as error:  # noqa: BLE001 - a reader's fault with one document is no reason to stop the others
        return FAILED, " ".join(f"{type(error).__name__}: {error}".split())


if __name__ == "__main__":
    main()
