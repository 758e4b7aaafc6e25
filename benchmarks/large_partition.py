"""What one new chunk costs in a small and in a large partition: the sensor's tick, the run, and one more document.

A partition is filled by SQL, all of it current. Then another program inserts a chunk, and a file of the landing
directory changes, again and again. The body of a run is what the step's own function does. The run around it, with
Dagster's events, takes place in this process. The embedder costs nothing.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from benchmarks.null_embedder import NullEmbedder
from benchmarks.scale import status_command, tick
from benchmarks.synthetic import Shape, fill, teller
from benchmarks.table import Table, add_json_option
from vector_assets.defs import assets
from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from vector_assets.defs.partition_ranges import PartitionedStep
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import InProcessRuns, recorded_runs
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.ingestion.chunker import Chunker
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

# A company's annual report has some hundred chunks.
_CHUNKS_A_DOCUMENT = 250
_INSERT = """
INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash)
SELECT id, '', '', '', %s, %s, '' FROM documents WHERE source_uri LIKE '%%synthetic-1.txt'
"""

Seconds = defaultdict[str, list[float]]


def services_of(home: Path, landing: Path) -> Services:
    """The real services, with an embedder that costs nothing and a tokenizer of words."""
    services = Services(load_settings(home=home, landing_dir=landing))
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    services.__dict__ |= {"embedder": NullEmbedder(), "chunker": Chunker(tokenizer, 200)}
    return services


@contextmanager
def timed(seconds: Seconds, name: str) -> Iterator[None]:
    """Add what the block takes."""
    before = time.perf_counter()
    yield
    seconds[name].append(time.perf_counter() - before)


@contextmanager
def bodies_timed(seconds: Seconds, name: str) -> Iterator[None]:
    """Add what the bodies of the steps take together."""
    taken = 0.0

    def timed_work(work: Callable[[PartitionKey], Any]) -> Callable[[PartitionKey], Any]:
        def act(key: PartitionKey) -> Any:
            nonlocal taken
            before = time.perf_counter()
            result = work(key)
            taken += time.perf_counter() - before
            return result

        return act

    def timed_step(context: Any, services: Services, listener: Any, work: Callable[..., Any]) -> PartitionedStep:
        return PartitionedStep(context, services, listener, timed_work(work))

    with patch.object(assets, "PartitionedStep", timed_step):
        yield
    seconds[name].append(taken)


def new_chunk(services: Services, runs: InProcessRuns, key: PartitionKey, number: int, seconds: Seconds) -> None:
    """Another program inserts a chunk; the sensor sees it, and a run embeds it."""
    with timed(seconds, "INSERT of one chunk"), services.database.transaction() as connection:
        connection.execute(_INSERT, (1_000_000 + number, f"The new chunk number {number} of the report. " * 20))
    with timed(seconds, "tick of the sensor"):
        tick(runs._instance, services)
    with timed(seconds, "run that embeds it"), bodies_timed(seconds, "its body"):
        result = runs.run(key, [VECTORIZED_CHUNKS])
    assert result.report is not None, result.error
    assert result.report.vectorized_count == 1
    with timed(seconds, "status of all partitions"):
        services.status()


def changed_document(runs: InProcessRuns, key: PartitionKey, landing: Path, number: int, seconds: Seconds) -> None:
    """A small file of the landing directory changes, and is read and chunked again."""
    file = landing / str(key) / "changed.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"Report number {number}.\n\n" + "Net sales rose, and so did costs. " * 20, "utf-8")
    with timed(seconds, "run that ingests a changed document"), bodies_timed(seconds, "its bodies"):
        result = runs.run(key, [DOCUMENTS, DOCUMENT_CHUNKS])
    assert result.error is None, result.error


def measure(home: Path, chunks: int, rounds: int) -> dict[str, list[float]]:
    """The seconds of each act, round by round, after one that is not counted."""
    landing, seconds = home / "landing", Seconds(list)
    landing.mkdir()
    shape = Shape(1, chunks, max(chunks // _CHUNKS_A_DOCUMENT, 1), 0, 0, 0, 0, vectors=chunks)
    (key,) = shape.keys()
    with services_of(home, landing) as services, recorded_runs(services, SilentListener()) as runs:
        services.spaces.register_first(services.space)
        fill(services.database, services.space, shape, teller())
        runs.prepare([key])
        for number in range(rounds + 1):
            new_chunk(services, runs, key, number, seconds)
        for number in range(rounds + 1):
            changed_document(runs, key, landing, number, seconds)
            with timed(seconds, "the command vector-assets status"):
                status_command(home)()
    leave_embedded_server(home)
    return {act: taken[1:] for act, taken in seconds.items()}


def main() -> None:
    """Print a row for each act, with its median in both partitions and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs=2, default=[10_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where the databases lie meanwhile; default: a temporary one")
    add_json_option(parser)
    arguments = parser.parse_args()
    found = []
    for chunks in arguments.chunks:
        # In a process of its own: Dagster opens one instance in a process.
        with (
            tempfile.TemporaryDirectory(dir=arguments.directory) as home,
            ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process,
        ):
            found.append(process.submit(measure, Path(home), chunks, arguments.rounds).result())
    small, large = arguments.chunks
    table = Table("seconds (median)", f"{small:,} chunks", f"{large:,} chunks", "ratio", json_file=arguments.json)
    for act in found[0]:
        of_small, of_large = (statistics.median(seconds[act]) for seconds in found)
        table.add(act, of_small, of_large, of_large / of_small)


if __name__ == "__main__":
    main()
