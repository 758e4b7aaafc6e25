"""A server of embeddings for measuring: a latency, a limit of tokens per minute, and its own count of both.

Run as a process of its own, so that it takes no time from what is measured:
python -m benchmarks.embedding_server PORT LATENCY_MS TOKENS_PER_MINUTE (0: no limit)
"""

import base64
import json
import sys
import threading
import time
from collections import deque
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

DIMENSION = 384
_MINUTE = 60.0


class Counts:
    """What was asked within the last minute and altogether. Threads share it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._minute: deque[tuple[float, int]] = deque()
        self._in_minute = 0
        self.requests = self.refused = self.tokens = self.most_in_minute = 0

    def admit(self, tokens: int) -> float:
        """Count a request; give 0, or the seconds until there would be room for it."""
        with self._lock:
            now = time.monotonic()
            while self._minute and self._minute[0][0] <= now - _MINUTE:
                self._in_minute -= self._minute.popleft()[1]
            self.requests += 1
            if self._limit and self._in_minute + tokens > self._limit:
                self.refused += 1
                return self._minute[0][0] + _MINUTE - now
            self._minute.append((now, tokens))
            self._in_minute += tokens
            self.tokens += tokens
            self.most_in_minute = max(self.most_in_minute, self._in_minute)
            return 0.0

    def document(self) -> dict[str, int]:
        """All counts."""
        with self._lock:
            return {name: getattr(self, name) for name in ("requests", "refused", "tokens", "most_in_minute")}


class Handler(BaseHTTPRequestHandler):
    """Answers with prepared vectors."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    counts: Counts
    latency: float

    def do_GET(self) -> None:
        """Say what was counted."""
        self._send(json.dumps(self.counts.document() if self.path == "/counts" else {}).encode())

    def do_POST(self) -> None:
        """Embed, unless the limit is reached."""
        texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        tokens = sum(len(text) // 4 for text in texts)
        wait = self.counts.admit(tokens)
        if wait:
            self._send(b'{"error": {"message": "tokens per minute"}}', 429, wait)
            return
        time.sleep(self.latency)
        self._send(b'{"data": [%s], "usage": {"total_tokens": %d}}' % (prepared(len(texts)), tokens))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, content: bytes, status: int = 200, retry_after: float = 0.0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if retry_after:
            self.send_header("Retry-After", f"{retry_after:.3f}")
        self.end_headers()
        self.wfile.write(content)


@cache
def prepared(texts: int) -> bytes:
    """Different vectors for so many texts, as the list of an answer without its brackets."""
    vectors = np.random.default_rng(0).normal(size=(texts, DIMENSION)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = [{"index": at, "embedding": base64.b64encode(row.tobytes()).decode()} for at, row in enumerate(vectors)]
    return json.dumps(rows).encode()[1:-1]


def main() -> None:
    port, latency_ms, limit = (int(argument) for argument in sys.argv[1:4])
    Handler.counts, Handler.latency = Counts(limit), latency_ms / 1000
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.request_queue_size = 128
    server.serve_forever()


if __name__ == "__main__":
    main()
