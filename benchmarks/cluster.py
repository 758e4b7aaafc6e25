"""How much faster several nodes are than one, into one PostgreSQL, when each waits for its embedder as for a GPU.

Each node is a process with the product's own loop, one partition after another; its embedder sleeps for the time that
the texts would take. Efficiency is the speed of all nodes, divided by their number and the speed of one. All nodes and
the server share this machine's cores, and no network lies between them. So the processor time of a thousand vectors, of
the nodes and of the server, says what bounds them: so many of them fit into the machine's cores. Connections include
one of the benchmark's own; runs of Dagster hold more (docs/operations.md).
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.corpus import store
from benchmarks.null_embedder import NullEmbedder
from benchmarks.table import Table, add_json_option
from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.spaces import Vectors
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.embedded_server import leave_embedded_server
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import Vectorizer

_TEXT = "net sales of the segment rose by four percent while costs fell " * 13
_SLUG = NullEmbedder.space.slug


class WaitingEmbedder(NullEmbedder):
    """Takes as long for texts as a device that embeds so many a second, and no processor time."""

    def __init__(self, texts_a_second: float) -> None:
        super().__init__()
        self._texts_a_second = texts_a_second

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        """Wait, then give prepared vectors."""
        time.sleep(len(texts) / self._texts_a_second)
        return super().embed(texts)


def _keys(node: int, partitions: int) -> list[PartitionKey]:
    return [PartitionKey("us", f"node{node}", f"P{number:03}") for number in range(partitions)]


def _fill(home: Path, nodes: int, partitions: int, chunks: int) -> None:
    with Services(load_settings(home=home)) as services:
        services.spaces.register_first(NullEmbedder.space)
        for node in range(nodes):
            for key in _keys(node, partitions):
                store(services, key, [f"{key} {number} {_TEXT}" for number in range(chunks)])
        with services.database.transaction() as connection:
            connection.execute("ANALYZE")


def _embed(home: Path, node: int, options: argparse.Namespace, barrier: Any, seconds: Any) -> None:
    """What a node does once all nodes are ready, and again when all have ended."""
    with Services(load_settings(home=home)) as services:
        embedder = WaitingEmbedder(options.texts_a_second)
        chunks, vectors = PostgresChunkStore(services.database, _SLUG), PostgresVectorStore(services.database, _SLUG)
        vectorizer = Vectorizer(chunks, vectors, embedder, options.batch_size)
        barrier.wait()
        began = time.process_time()
        for key in _keys(node, options.partitions):
            vectorizer.vectorize_partition(key)
        seconds[node] = time.process_time() - began
        barrier.wait()


class Used(NamedTuple):
    """Processor seconds of the server and of the nodes, and bytes of write-ahead log."""

    server: float
    nodes: float
    log: int


def _measure(home: Path, nodes: int, options: argparse.Namespace) -> tuple[float, int, Used]:
    """Vectors a second of all nodes, the most connections, and what was used."""
    with Services(load_settings(home=home)) as services:
        with services.database.transaction() as connection:
            connection.execute(f"TRUNCATE chunk_vectors_{_SLUG}")  # which makes every chunk pending
        context = multiprocessing.get_context("spawn")
        barrier, of_nodes = context.Barrier(nodes + 1), context.Array("d", nodes)
        arguments = [(home, node, options, barrier, of_nodes) for node in range(nodes)]
        processes = [context.Process(target=_embed, args=given) for given in arguments]
        for process in processes:
            process.start()
        barrier.wait()
        started, before, written = time.perf_counter(), _processor_seconds(home), _log_bytes(services)
        connections = 0
        while barrier.n_waiting < nodes and any(process.is_alive() for process in processes):
            with services.database.transaction() as connection:
                row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE client_port IS NOT NULL")
                connections = max(connections, next(iter(row.fetchone() or (0,))))
            time.sleep(0.1)
        seconds, used = time.perf_counter() - started, _processor_seconds(home) - before
        log = _log_bytes(services) - written
        barrier.wait()
        for process in processes:
            process.join()
        with services.database.transaction() as connection:
            stored = next(iter(connection.execute(f"SELECT count(*) FROM chunk_vectors_{_SLUG}").fetchone() or (0,)))
        if stored != nodes * options.partitions * options.chunks:
            raise RuntimeError(f"{stored} vectors were stored, not all")
    return nodes * options.partitions * options.chunks / seconds, connections, Used(used, sum(of_nodes[:]), log)


def _log_bytes(services: Services) -> int:
    """Count the bytes that the server has ever written to its write-ahead log."""
    with services.database.transaction() as connection:
        return int(next(iter(connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone() or (0,))))


def _processor_seconds(home: Path) -> float:
    """What the server and its sessions have used. Sessions that have ended are not counted."""
    pid = int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    server = psutil.Process(pid)
    used = [process.cpu_times() for process in (server, *server.children())]
    return float(sum(times.user + times.system for times in used))


def main() -> None:
    """Print a row per number of nodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--partitions", type=int, default=5, help="of each node")
    parser.add_argument("--chunks", type=int, default=4_000, help="of each partition")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--texts-a-second", type=float, default=2_000)
    add_json_option(parser)
    options = parser.parse_args()
    columns = ["nodes", "vectors/s", "efficiency", "connections", "server's CPU s per 1,000", "nodes' CPU s per 1,000"]
    table = Table(*columns, "log bytes per vector", "load", json_file=options.json)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with Services(load_settings(home=home)) as keeper:
            _ = keeper.database  # keeps the server between the processes
            _fill(home, max(options.nodes), options.partitions, options.chunks)
            single = 0.0
            for nodes in options.nodes:
                speed, connections, used = _measure(home, nodes, options)
                single = single or speed / nodes
                vectors = nodes * options.partitions * options.chunks
                efficiency = round(speed / nodes / single, 2)
                processor = [round(1000 * seconds / vectors, 3) for seconds in (used.server, used.nodes)]
                log = round(used.log / vectors)
                table.add(nodes, speed, efficiency, connections, *processor, log, os.getloadavg()[0])
        leave_embedded_server(home)


if __name__ == "__main__":
    main()
