"""What many small partitions cost beside their chunks: in one range run each `max_partitions_per_run`, and one by one.

With the model, and with an embedder that costs nothing, so that the rest is seen alone. Dagster's storage is on
PostgreSQL, and every run recorded.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg

from benchmarks.corpus import store, uniform_texts
from benchmarks.null_embedder import NullEmbedder
from benchmarks.table import Table, add_json_option
from vector_assets.cli.demo import SAMPLES
from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.assets import in_ranges
from vector_assets.defs.partitions import register
from vector_assets.defs.resources import SilentListener, run_resources
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.defs.runtime.storage_connections import kept_connections
from vector_assets.defs.runtime.tags import RANGE_END_TAG, RANGE_START_TAG
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.ports import Embedder
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def in_range_runs(services: Services, instance: dg.DagsterInstance, keys: Sequence[PartitionKey]) -> list[str]:
    """As a backfill does it; gives the runs' ids."""
    size = services.settings.max_partitions_per_run
    asset = next(asset for asset in in_ranges(size) if asset.key == VECTORIZED_CHUNKS)
    runs = []
    with kept_connections(instance):
        for at in range(0, len(keys), size):
            part = keys[at : at + size]
            result = dg.materialize(
                [asset],
                instance=instance,
                resources=run_resources(services, SilentListener()),
                tags={RANGE_START_TAG: str(part[0]), RANGE_END_TAG: str(part[-1])},
                run_config=_QUIET,
            )
            runs.append(result.run_id)
    return runs


def one_by_one(services: Services, _: dg.DagsterInstance, keys: Sequence[PartitionKey]) -> list[str]:
    """As `vector-assets backfill` does it here."""
    with recorded_runs(services, SilentListener()) as runs:
        runs.prepare(keys)
        results = [runs.run(key, [VECTORIZED_CHUNKS]) for key in keys]
    assert not any(result.error for result in results)
    return [result.run_id for result in results]


Way = Callable[[Services, dg.DagsterInstance, Sequence[PartitionKey]], list[str]]
WAYS: dict[str, Way] = {"range runs": in_range_runs, "one by one": one_by_one}


def main() -> None:
    """Print a row for each way and embedder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    parser.add_argument("--partitions", type=int, default=100)
    parser.add_argument("--chunks", type=int, default=20, help="of each partition")
    add_json_option(parser)
    arguments = parser.parse_args()
    columns = ("partitions of chunks", "way", "embedder", "seconds", "embedding", "beside it, a partition", "events")
    table = Table(*columns, json_file=arguments.json)
    with tempfile.TemporaryDirectory() as home:
        with Services(load_settings(home=Path(home))) as services, open_instance(services) as instance:
            keys = _fill(services, arguments.filings, arguments.partitions, arguments.chunks)
            register(instance, keys)
            for embedder in (services.embedder, NullEmbedder()):
                embedder.load()
                _serve_with(services, embedder)
                for name, way in WAYS.items():
                    row = _measure(services, instance, keys, way)
                    table.add(f"{len(keys):,} of {arguments.chunks}", name, type(embedder).__name__, *row)
        leave_embedded_server(Path(home))


def _serve_with(services: Services, embedder: Embedder) -> None:
    """Let the space of this embedder be the one that the assets fill."""
    services.__dict__["embedder"] = embedder
    for of_the_former in ("space", "drift"):
        services.__dict__.pop(of_the_former, None)
    if services.spaces.serving() is None:
        services.spaces.register_first(services.space)
    else:
        services.spaces.add(services.space)
        services.spaces.promote(services.space.slug)


def _fill(services: Services, filings: Path, partitions: int, chunks: int) -> list[PartitionKey]:
    """Store the chunks of all partitions, which makes them pending in every space."""
    texts = uniform_texts(services, filings, chunks * partitions)
    keys = [PartitionKey("us", "benchmark", f"S{number:05}") for number in range(partitions)]
    for number, key in enumerate(keys):
        store(services, key, texts[number * chunks : (number + 1) * chunks])
    return keys


def _measure(
    services: Services, instance: dg.DagsterInstance, keys: Sequence[PartitionKey], way: Way
) -> tuple[float, float, float, int]:
    """Give the seconds of all runs, of embedding, and beside it for each partition; and the number of events."""
    with services.database.transaction() as connection:
        connection.execute(f"TRUNCATE chunk_vectors_{services.space.slug}")  # which makes every chunk pending
    began = time.perf_counter()
    runs = way(services, instance, keys)
    seconds = time.perf_counter() - began
    statuses = services.status()
    assert all(status.pending == 0 for status in statuses)
    embedding = sum(status.last_run.seconds for status in statuses if status.last_run)
    events = sum(len(instance.all_logs(run_id)) for run_id in runs)
    return seconds, embedding, (seconds - embedding) / len(keys), events


if __name__ == "__main__":
    main()
