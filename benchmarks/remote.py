"""A server of embeddings in use: how close to its limit a run comes, and what the loop costs beside the client alone.

python -m benchmarks.remote                  a limit of 1,000,000 tokens a minute, 200 ms an answer; takes minutes
python -m benchmarks.remote --null           no limit, no latency: the loop against the client alone
"""

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.table import Table, add_json_option
from vector_assets.domain.chunks import DocumentChunk
from vector_assets.domain.documents import Document
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

LIMIT = 1_000_000
LATENCY_MS = 200
_CHARACTERS = 760
_KEY = PartitionKey("us", "annual_report", "XREM")


@contextmanager
def serving(latency_ms: int, limit: int) -> Iterator[str]:
    """Run the server in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.embedding_server", str(port), str(latency_ms), str(limit)]
    process = subprocess.Popen(command)
    try:
        while not counts(url := f"http://127.0.0.1:{port}"):
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def counts(url: str) -> dict[str, int]:
    """What the server has counted; empty while it is not there."""
    try:
        with urllib.request.urlopen(url + "/counts") as answer:
            found: dict[str, int] = json.load(answer)
            return found
    except OSError:
        return {}


@contextmanager
def services_of(url: str, home: Path, chunks: int, **settings: object) -> Iterator[Services]:
    """Services over a database with so many pending chunks."""
    given = {"embedding_provider": "openai", "embedding_api_base": f"{url}/v1", "embedding_model": "measured"}
    with Services(load_settings(home=home, landing_dir=home, **given, **settings), creates=True) as services:
        store(services, chunks)
        services.embedder.load()
        yield services
    leave_embedded_server(home)


def store(services: Services, chunks: int) -> None:
    """Store documents of a thousand chunks each, all different."""
    for number in range(0, chunks, 1000):
        texts = [text_of(number + at) for at in range(min(1000, chunks - number))]
        uri = f"{_KEY}/{number}.txt"
        services.documents.save([Document(uri, _KEY, "X", "", "2024", "en", "\n".join(texts), "1")], [])
        (stored,) = services.documents.unchunked_documents(_KEY, "measured")
        ends = 0
        pieces = []
        for text in texts:
            pieces.append(DocumentChunk(text, ends, ends + len(text)))
            ends += len(text) + 1
        services.documents.replace_chunks(stored, pieces, "measured")


def text_of(number: int) -> str:
    """A text of about 190 tokens that no other number has."""
    return (
        f"Chunk {number}: " + ("net sales of the segment rose while the board approved a dividend " * 12)[:_CHARACTERS]
    )


def measure_limit(minutes: float, table: Table, knows_limit: bool) -> None:
    """Work against the limit for some minutes."""
    chunks = int(LIMIT / (_CHARACTERS // 4 + 3) * minutes)
    known = {"embedding_tokens_per_minute": LIMIT} if knows_limit else {}
    with serving(LATENCY_MS, LIMIT) as url, tempfile.TemporaryDirectory() as home:
        with services_of(url, Path(home), chunks, **known) as services:
            started = time.monotonic()
            report = services.vectorizer().vectorize_partition(_KEY)
            elapsed = time.monotonic() - started
        found = counts(url)
    assert report.failed_count == 0
    table.add(
        "known" if knows_limit else "not known",
        report.vectorized_count,
        elapsed,
        found["tokens"] / elapsed * 60 / LIMIT,
        found["most_in_minute"] / LIMIT,
        found["requests"],
        found["refused"] / found["requests"],
    )


def measure_loop(chunks: int, rounds: int, table: Table) -> None:
    """The loop and the client alone by turns, with the same requests."""
    ratios = []
    with serving(0, 0) as url, tempfile.TemporaryDirectory() as home, services_of(url, Path(home), chunks) as services:
        embedder = services.embedder
        size = services.settings.embedding_batch_size
        texts = embedder.tokenize([text_of(number) for number in range(chunks)])
        batches = [texts[at : at + size] for at in range(0, chunks, size)]
        for number in range(rounds):
            loop = services.vectorizer(size).vectorize_partition(_KEY, force_revectorize=number > 0).seconds
            began = time.perf_counter()
            with ThreadPoolExecutor(embedder.concurrency) as threads:
                list(threads.map(embedder.embed, batches))
            alone = time.perf_counter() - began
            ratios.append(alone / loop)
            table.add(number + 1, chunks / loop, chunks / alone, alone / loop)
    print(f"median of the ratios: {statistics.median(ratios):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--null", action="store_true", help="measure the loop against the client alone")
    parser.add_argument("--minutes", type=float, default=3.0, help="how many minutes' limits a run takes")
    parser.add_argument("--chunks", type=int, default=8_000)
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.null:
        of_loop = ("round", "loop, chunks/s", "client alone, chunks/s", "loop / client alone")
        measure_loop(arguments.chunks, 5, Table(*of_loop, json_file=arguments.json))
        return
    columns = (
        "limit",
        "chunks",
        "seconds",
        "tokens a minute / limit",
        "most in a minute / limit",
        "requests",
        "refused",
    )
    table = Table(*columns, json_file=arguments.json)
    for knows_limit in (True, False):
        measure_limit(arguments.minutes, table, knows_limit)


if __name__ == "__main__":
    main()
