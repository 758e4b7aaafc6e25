"""A network between client and server that can fail on demand."""

import socket
import threading
from contextlib import suppress
from enum import Enum
from pathlib import Path


class Commit(Enum):
    """What becomes of the next COMMIT that passes."""

    PASSES = 1
    ANSWER_IS_LOST = 2  # the server commits; the client's connection breaks instead of hearing so
    IS_LOST = 3  # the client's connection breaks; the server waits for a COMMIT that never comes


class Proxy:
    """Listens on 127.0.0.1 and passes on to a server's unix socket."""

    def __init__(self, upstream: Path) -> None:
        self._upstream = upstream
        self._sockets: list[socket.socket] = []  # clients and their servers in turn
        self._abandoned: list[socket.socket] = []
        self.commit = Commit.PASSES
        self.port = 0
        self.light()

    def light(self) -> None:
        """Take connections, on the same port as before."""
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def dark(self) -> None:
        """Break every connection, and refuse new ones."""
        for each in [self._listener, *self._sockets, *self._abandoned]:
            _close(each)
        self._sockets.clear()
        self._abandoned.clear()

    def vanish(self) -> None:
        """Break every client's connection so that the server does not hear of it; take new ones."""
        abandoned, self._sockets = self._sockets, []
        self._abandoned += abandoned
        for client in abandoned[::2]:
            _close(client)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._upstream))
                self._sockets += [client, server]
                threading.Thread(target=self._to_server, args=[client, server], daemon=True).start()
                threading.Thread(target=self._to_client, args=[client, server], daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT\0" in data and self.commit == Commit.IS_LOST:
                    self.commit = Commit.PASSES
                    _close(client)
                    return  # the server's side stays as it is
                server.sendall(data)
        if server not in self._abandoned:
            _close(server)

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if data.startswith(b"C\0\0\0\x0bCOMMIT\0") and self.commit == Commit.ANSWER_IS_LOST:
                    self.commit = Commit.PASSES
                    break
                client.sendall(data)
        _close(client)


def _close(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
