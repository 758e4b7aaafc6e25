"""A server of embeddings in use: how close to its limit a run comes, and what the loop costs beside the client alone.

python -m benchmarks.remote                  a limit of 1,000,000 tokens a minute, 200 ms an answer; takes minutes
python -m benchmarks.remote --loop 0 200     no limit: the loop against the client alone, by the latency in ms
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import psutil

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
def serving(latency_ms: int, limit: int) -> Iterator[tuple[str, int]]:
    """Run the server in a process of its own: its address and its number."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.embedding_server", str(port), str(latency_ms), str(limit)]
    process = subprocess.Popen(command)
    try:
        while not counts(url := f"http://127.0.0.1:{port}"):
            time.sleep(0.05)
        yield url, process.pid
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
    with Services(load_settings(home=home, landing_dir=home, **given | settings), creates=True) as services:
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
    with serving(LATENCY_MS, LIMIT) as (url, _), tempfile.TemporaryDirectory() as home:
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


@dataclass(frozen=True)
class CpuSeconds:
    """What the processes have computed so far."""

    loop: float
    postgres: float
    server: float

    @classmethod
    def now(cls, home: Path, server: int) -> "CpuSeconds":
        """Read it of this process, of the database in this home and of the server with this number."""
        (pid_file,) = home.rglob("postmaster.pid")
        postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
        postgres = sum(_cpu(process) for process in (postmaster, *postmaster.children()))
        return cls(time.process_time(), postgres, _cpu(psutil.Process(server)))

    def shares(self, later: "CpuSeconds", chunks: int) -> str:
        """Write what was computed between the two, in µs a chunk."""
        pairs = zip(astuple(self), astuple(later), strict=True)
        return " + ".join(f"{(after - before) / chunks * 1e6:.0f}" for before, after in pairs)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:  # a session that has ended meanwhile
        return 0.0
    return float(times.user + times.system)


def measure_loop(latency_ms: int, chunks: int, rounds: int, batch_size: int, table: Table) -> None:
    """The loop and the client alone by turns, with the same requests."""
    provider = {"embedding_provider": "vllm"}  # which takes 256 texts in a request
    with (
        serving(latency_ms, 0) as (url, server),
        tempfile.TemporaryDirectory() as home,
        services_of(url, Path(home), chunks, **provider) as services,
    ):
        embedder = services.embedder
        texts = embedder.tokenize([text_of(number) for number in range(chunks)])
        batches = [texts[at : at + batch_size] for at in range(0, chunks, batch_size)]
        for number in range(rounds):
            with services.database.transaction() as connection:  # by which every chunk is pending
                connection.execute(f"TRUNCATE chunk_vectors_{services.space.slug}" if number else "SELECT")
            before = CpuSeconds.now(Path(home), server)
            loop = services.vectorizer(batch_size).vectorize_partition(_KEY).seconds
            between = CpuSeconds.now(Path(home), server)
            began = time.perf_counter()
            with ThreadPoolExecutor(embedder.concurrency) as threads:
                list(threads.map(embedder.embed, batches))
            alone = time.perf_counter() - began
            after = CpuSeconds.now(Path(home), server)
            shares = before.shares(between, chunks), between.shares(after, chunks)
            table.add(latency_ms, batch_size, number + 1, chunks / loop, chunks / alone, alone / loop, *shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", type=int, nargs="+", metavar="MS", help="measure the loop against the client alone")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--minutes", type=float, default=3.0, help="how many minutes' limits a run takes")
    parser.add_argument("--chunks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.loop:
        of_loop = ("latency, ms", "batch", "round", "loop, chunks/s", "client alone, chunks/s", "loop / client alone")
        shares = ("CPU µs a chunk of loop + PostgreSQL + server", "of the client alone")
        table = Table(*of_loop, *shares, json_file=arguments.json)
        for latency_ms in arguments.loop:
            for size in arguments.batch_sizes:
                measure_loop(latency_ms, arguments.chunks, arguments.rounds, size, table)
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
