"""A server of embeddings on loopback that answers as a test wants: rightly, or in all the ways that servers fail."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from vector_assets.domain.spaces import Vectors

from ...fakes import DIMENSION, vector_of

Respond = Callable[["Exchange"], None]


@dataclass
class Provider:
    """What the server is to do, and what it was asked: the bodies of the requests for embeddings, in order.

    `answered` has those of the requests that `spoiling` has answered with vectors.
    """

    respond: Respond
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    answered: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def texts(self) -> list[str]:
        """All texts that it was asked to embed."""
        return [text for body in self.asked for text in body["input"]]


class Exchange(BaseHTTPRequestHandler):
    """One request, and the means to answer it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    provider: Provider
    body: dict[str, Any]

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.provider.lock:
            self.provider.asked.append(self.body)
            self.provider.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.provider.respond(self)

    def do_GET(self) -> None:
        found = self.provider.documents.get(self.path)
        self.send(json.dumps(found or {}).encode(), 200 if found else 404)

    def log_message(self, *_: object) -> None:
        pass

    def send(self, content: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        """Send an answer; its length may be given wrongly. Underscores in the names of headers become hyphens."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def send_error_document(self, status: int, message: str = "no", code: str = "", **headers: str) -> None:
        """Send an error in the form of OpenAI."""
        self.send(json.dumps({"error": {"message": message, "code": code}}).encode(), status, **headers)

    def answer(self, change: Callable[[dict[str, Any]], None] = lambda _: None) -> dict[str, Any]:
        """Make the right answer, and change it."""
        vectors = np.stack([vector_of(text) for text in self.body["input"]])
        document = document_of(vectors, self.body.get("encoding_format") == "base64")
        document["model"] = self.body["model"]
        change(document)
        return document

    def succeed(self, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        """Send the right answer, or a change of it."""
        self.send(json.dumps(self.answer(change)).encode())


def document_of(vectors: Vectors, as_base64: bool) -> dict[str, Any]:
    """Write vectors in the form of OpenAI; each text counts five tokens."""
    rows = [base64.b64encode(row.tobytes()).decode() if as_base64 else row.tolist() for row in vectors]
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    return {"data": data, "usage": {"prompt_tokens": 5 * len(data), "total_tokens": 5 * len(data)}}


@contextmanager
def serving(respond: Respond = Exchange.succeed, certificate: Path | None = None) -> Iterator[Provider]:
    """Serve in threads; with a file of a key and its certificate over TLS."""
    provider = Provider(respond)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Exchange,), {"provider": provider}))
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    provider.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def changing(change: Callable[[dict[str, Any]], None]) -> Respond:
    """Answer with a change of the right answer."""
    return lambda exchange: exchange.succeed(change)


def wide(document: dict[str, Any]) -> None:
    """Give the vectors another dimension."""
    for item in document["data"]:
        item["embedding"] = [0.5] * (DIMENSION + 1)


def slowly(exchange: Exchange) -> None:
    """Send a byte now and then, without an end."""
    exchange.send_response(200)
    exchange.send_header("Content-Length", "1000")
    exchange.end_headers()
    for _ in range(100):
        try:
            exchange.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.02)
