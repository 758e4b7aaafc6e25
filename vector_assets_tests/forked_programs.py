"""Programs that a test starts, watches and kills, and that begin with their imports done.

A process of Python takes one to three seconds of a core to import Dagster. These are forked from a server that has
imported it once: real processes, each with an id, an environment and an end of its own.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_ROOT = Path(__file__).parents[1]
_REQUEST_BYTES = 1 << 20
# What commands import when they begin to work.
_PRELOADED = ("vector_assets.cli", "vector_assets.cli.open_services", "vector_assets.defs.runtime.in_process")


class ForkedProgram:
    """The function `main` of a module in a process of its own. It has what tests use of `subprocess.Popen`.

    Args:
        module: the module's full name.
        arguments: those of its `main`.
        environment: variables besides those of this process.
        with_errors: whether `stderr` can be read; else it is this process's own.
        terminal: the follower of a pseudo-terminal, for all its streams instead; then nothing is read of them here.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: dict[str, str] | None = None,
        with_errors: bool = False,
        terminal: int | None = None,
    ) -> None:
        request = {
            "module": module, "arguments": arguments, "folder": os.getcwd(),
            "environment": {**os.environ, **(environment or {})},
        }  # fmt: skip
        (to_read, stdin), (stdout, to_write) = os.pipe(), os.pipe()
        stderr, errors = os.pipe() if with_errors else (os.open(os.devnull, os.O_RDONLY), os.dup(2))
        self._ended, ending = os.pipe()
        if terminal is not None:
            for stream in (to_read, to_write, errors):
                os.dup2(terminal, stream)
        theirs = [to_read, to_write, errors, ending]
        self.pid = _server().fork(request, theirs)
        for descriptor in theirs:
            os.close(descriptor)
        self.stdin, self.stdout, self.stderr = os.fdopen(stdin, "w"), os.fdopen(stdout), os.fdopen(stderr)
        self.returncode: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stdin.close()
        self.wait()
        self.stdout.close()
        self.stderr.close()
        os.close(self._ended)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and its end is not reported yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while the process is at work."""
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status."""
        status = self._status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return status

    def communicate(self, given: str = "", timeout: float | None = None) -> tuple[str, str]:
        """Write to its input, and return all that it still prints, and its errors, once it has ended."""
        timer = threading.Timer(timeout or threading.TIMEOUT_MAX, self.kill)
        timer.start()
        self.stdin.write(given)
        self.stdin.close()
        printed, errors = self.stdout.read(), self.stderr.read()
        timer.cancel()
        self.wait()
        return printed, errors

    def _status(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._ended], [], [], timeout)[0]:
            self.returncode = int(os.read(self._ended, 16))
        return self.returncode


class _Server:
    """The process that forks. It ends with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])

    def fork(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """Return the id of the new process."""
        with self._lock:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
            return int(self._control.recv(16))


@cache
def _server() -> _Server:
    return _Server()


def serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork a process for each request. Return the request in the new process, and None in the server at its end."""
    gc.disable()
    for module in _PRELOADED:
        importlib.import_module(module)
    gc.enable()
    endings: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            os.read(woken, 1024)
            _report_ends(endings)
        if control in ready:
            message, descriptors, _, _ = socket.recv_fds(control, _REQUEST_BYTES, 4)
            if not message:
                return None
            request = json.loads(message)
            importlib.import_module(request["module"])  # the next process of the module finds it imported
            gc.freeze()  # else each process would look through all of that for garbage, at its end several times
            if (pid := os.fork()) == 0:
                for descriptor in (control.detach(), woken, wake, *endings.values()):
                    os.close(descriptor)
                _become(request, *descriptors)
                return request
            endings[pid] = descriptors.pop()
            for descriptor in descriptors:
                os.close(descriptor)
            control.send(str(pid).encode())


def _report_ends(endings: dict[int, int]) -> None:
    """Write the exit status of each process that has ended to whoever waits for it."""
    for pid in list(endings):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            os.write(endings[pid], str(os.waitstatus_to_exitcode(status)).encode())
            os.close(endings.pop(pid))


def _become(request: dict[str, Any], stdin: int, stdout: int, stderr: int, ending: int) -> None:
    """Take over what a new process would have of its parent."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for place, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, place)
        os.close(descriptor)
    # The server's own streams may be files, which have a position.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.close(ending)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None  # TMPDIR may be another


def main(descriptor: str) -> None:
    """Serve, and in a new process run its module."""
    request = serve(socket.socket(fileno=int(descriptor)))
    if request is not None:
        importlib.import_module(request["module"]).main(*request["arguments"])


if __name__ == "__main__":
    main(*sys.argv[1:])
