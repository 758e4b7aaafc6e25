"""How many vectors a second the loop commits to pgvector when the embedder costs nothing, and in what memory.

Each size runs in a process of its own, so that its peak memory is its own; turn by turn without a lease, as other
programs call the vectorizer, and under one, as a run of Dagster does.
"""

import argparse
import multiprocessing
import resource
import statistics
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks.corpus import store
from benchmarks.null_embedder import NullEmbedder
from benchmarks.table import Table, add_json_option
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.chunks import PostgresChunkStore
from vector_assets.storage.embedded_server import leave_embedded_server
from vector_assets.storage.leases import PostgresLeases
from vector_assets.storage.vectors import PostgresVectorStore
from vector_assets.vectorizer import Vectorizer

_LEASE = timedelta(hours=1)
_KEY = PartitionKey("us", "benchmark", "COMMIT")
# As long as a chunk of a filing is: about 190 tokens of English.
_TEXT = "net sales of the segment rose by four percent while costs fell " * 13


def measure(home: Path, batch_size: int, has_lease: bool) -> tuple[float, float]:
    """Vectors a second over the whole partition, all of it pending, and this process's peak memory in MiB."""
    embedder = NullEmbedder()
    with Services(load_settings(home=home)) as services:
        services.spaces.register_first(embedder.space)
        slug = embedder.space.slug
        leases = PostgresLeases(services.database)
        lease = leases.take(_KEY, slug, "benchmark", _LEASE) if has_lease else None
        chunks = PostgresChunkStore(services.database, slug)
        vectors = PostgresVectorStore(services.database, slug, lease=lease)
        with services.database.transaction() as connection:
            connection.execute(f"TRUNCATE chunk_vectors_{slug}")  # which makes every chunk pending
        report = Vectorizer(chunks, vectors, embedder, batch_size).vectorize_partition(_KEY)
    return report.vectorized_count / report.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fill(home: Path, chunks: int) -> None:
    """Put so many chunks into the partition."""
    with Services(load_settings(home=home)) as services:
        store(services, _KEY, [f"{number} {_TEXT}" for number in range(chunks)])
        with services.database.transaction() as connection:
            connection.execute("ANALYZE")


def main() -> None:
    """Print a row per number of chunks and batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 200_000])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 1024])
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    arguments = parser.parse_args()
    table = Table(
        "chunks",
        "batch size",
        "lease",
        "vectors/s (each round)",
        "median",
        "peak memory (MiB)",
        json_file=arguments.json,
    )
    context = multiprocessing.get_context("spawn")
    for chunks in arguments.chunks:
        with tempfile.TemporaryDirectory() as home:
            with Services(load_settings(home=Path(home))) as keeper:
                _ = keeper.database  # keeps the server between the processes
                with context.Pool(1, maxtasksperchild=1) as pool:
                    pool.apply(fill, (Path(home), chunks))
                    for size in arguments.batch_sizes:
                        found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
                        for turn in range(2 * arguments.rounds):
                            has_lease = turn % 2 == 1
                            found[has_lease].append(pool.apply(measure, (Path(home), size, has_lease)))
                        for has_lease, rounds in found.items():
                            speeds, memory = [speed for speed, _ in rounds], max(peak for _, peak in rounds)
                            lease = "yes" if has_lease else "no"
                            table.add(chunks, size, lease, speeds, statistics.median(speeds), round(memory))
            leave_embedded_server(Path(home))


if __name__ == "__main__":
    main()
