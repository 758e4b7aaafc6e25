"""The process that reads one document after another: `python -m vector_assets.ingestion.reader_worker`.

`reader_process.py` starts it and says why the documents are read in a process of their own.
"""

import resource
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection

from ..errors import DocumentError
from .readers import extract_text

TEXT, NO_MEMORY, FAILED = "text", "no memory", "failed"
"""The first word of an answer, or else the code of a `DocumentError`; the second is the text, or the message; the third
is the warning that belongs to the text."""


def main() -> None:
    """Answer the parent process at the other end of a pipe until the pipe is closed.

    The arguments are the number of the pipe, the seconds for one document, and the bytes of memory.
    """
    descriptor, seconds, memory = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    _set_up_signals()
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # The pipe is closed by the parent, or by the system when the parent dies.
    with Connection(descriptor) as parent, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        parent.send_bytes(b"ready")
        while True:
            document, suffix = parent.recv_bytes().decode(), parent.recv_bytes().decode()
            data = parent.recv_bytes()
            signal.setitimer(signal.ITIMER_REAL, seconds)
            answer = _answer(data, suffix, document)
            signal.setitimer(signal.ITIMER_REAL, 0)
            for message in answer:
                parent.send_bytes(message.encode(errors="replace"))


def _set_up_signals() -> None:
    """Let only the parent and the alarm clock end this process."""
    # Ctrl-C and a signal to a whole group of processes are meant for the parent. A document must not look bad for them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Without a handler the alarm ends the process in the middle of any C code. The parent may have set it otherwise.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})


def _answer(data: bytes, suffix: str, document: str) -> tuple[str, str, str]:
    try:
        found = extract_text(data, suffix, document)
    except DocumentError as error:
        return error.code, str(error), ""
    except MemoryError:
        return NO_MEMORY, "", ""
    except Exception as error:  # noqa: BLE001 - a reader that fails on one document must not stop the others
        return FAILED, " ".join(f"{type(error).__name__}: {error}".split()), ""
    return TEXT, found.text, found.warning


if __name__ == "__main__":
    main()
