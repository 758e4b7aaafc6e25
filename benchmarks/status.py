"""How long `vector-assets status` takes, as a command, over many chunks."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Table, add_json_option
from vector_assets.settings import load_settings
from vector_assets.storage.embedded import leave_embedded_server
from vector_assets.wiring import Parts

# Synthetic documents of 100 chunks each, spread over partitions; a tenth of the chunks is pending.
_DOCUMENTS = """
INSERT INTO documents (market, doc_type, stock_code, source_uri, text, content_hash)
SELECT 'us', 'annual_report', 'S' || mod(n, %(partitions)s), 'synthetic/' || n, 'text', ''
FROM generate_series(1, %(chunks)s / 100) n
"""
_CHUNKS = """
INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash)
SELECT d.id, '', '', '', n, 'chunk ' || n || ' of ' || d.id, '' FROM documents d, generate_series(1, 100) n
"""
_VECTORS = """
INSERT INTO {table}
    (chunk_id, market, doc_type, stock_code, content_hash, embedding, token_count, tokens_embedded, run_id)
SELECT id, market, doc_type, stock_code, content_hash, array_fill(0.05, ARRAY[384])::halfvec, 10, 10, 'synthetic'
FROM document_chunks WHERE mod(chunk_index, 10) > 0
"""
_CURRENT = "UPDATE document_chunks SET vectorized_at = now() WHERE mod(chunk_index, 10) > 0"


def fill(parts: Parts, chunks: int, partitions: int) -> None:
    """Put synthetic rows into an empty database."""
    parts.spaces.activate(parts.embedder.space)
    with parts.database.transaction() as connection:
        connection.execute(_DOCUMENTS, {"chunks": chunks, "partitions": partitions})
        connection.execute(_CHUNKS)
        connection.execute(_VECTORS.format(table=f"chunk_vectors_{parts.embedder.space.slug}"))
        connection.execute(_CURRENT)
    with parts.database.transaction() as connection:
        connection.execute("ANALYZE")


def main() -> None:
    """Print the seconds of each round and their median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, Parts(load_settings(home=Path(home))) as parts:
        fill(parts, arguments.chunks, arguments.partitions)
        command = [sys.executable, "-m", "vector_assets.cli", "status", "--json"]
        seconds = []
        for _ in range(arguments.rounds):
            before = time.perf_counter()
            subprocess.run(command, env=os.environ | {"VECTOR_ASSETS_HOME": home}, check=True, capture_output=True)
            seconds.append(time.perf_counter() - before)
        parts.close()
        leave_embedded_server(Path(home))
    table = Table("chunks", "seconds of status (each round)", "median", json_file=arguments.json)
    table.add(arguments.chunks, seconds, statistics.median(seconds))


if __name__ == "__main__":
    main()
