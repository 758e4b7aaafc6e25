"""The pipeline against its limit and against the plain loop.

- limit: the embedder alone on the same texts sorted by length, with as many calls at once as it likes.
- pipeline: a recorded Dagster run over the partition, with progress events, Dagster's storage on PostgreSQL.
- plain loop: what one would write first: `SentenceTransformer.encode`, 32 texts at a time in the order in which they
  come, float32 on the CPU, then psycopg2's `execute_values` into a pgvector table.

They take turns, several rounds, on the same texts; the plain loop, being slow, does a part of them.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

from benchmarks.corpus import mixed_texts, store, uniform_texts
from vector_assets.cli.demo import SAMPLES
from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import InProcessRuns, recorded_runs
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.reports import VectorizeReport
from vector_assets.embedding.model_files import find_model
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server


def alone(services: Services, texts: Sequence[str]) -> float:
    """Texts a second of the embedder, tokenizing included."""
    embedder = services.embedder
    before = time.perf_counter()
    tokenized = sorted(embedder.tokenize(texts), key=lambda text: -text.tokens_embedded)
    batches = [tokenized[at : at + 32] for at in range(0, len(tokenized), 32)]
    with ThreadPoolExecutor(embedder.concurrency) as threads:
        list(threads.map(embedder.embed, batches))
    return len(texts) / (time.perf_counter() - before)


class Pipeline:
    """A run of the asset over one partition."""

    def __init__(self, runs: InProcessRuns, key: PartitionKey) -> None:
        self._runs, self._key = runs, key
        self.reports: list[VectorizeReport] = []

    def __call__(self, texts: Sequence[str]) -> float:
        """Texts a second, from the start of the Dagster run to its end."""
        before = time.perf_counter()
        result = self._runs.run(self._key, [VECTORIZED_CHUNKS], {"force_revectorize": True})
        seconds = time.perf_counter() - before
        assert result.report is not None, result.error
        assert result.report.vectorized_count == len(texts)
        self.reports.append(result.report)
        return len(texts) / seconds


class PlainLoop:
    """Encode and insert, one after the other."""

    def __init__(self, services: Services) -> None:
        from sentence_transformers import SentenceTransformer

        folder = find_model(services.space.source, services.settings.models_dir)
        self._model = SentenceTransformer(str(folder.path), device="cpu")
        url = services.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg2.connect(url)
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS plain_loop")
            cursor.execute(
                f"CREATE TABLE plain_loop (id bigint, embedding vector({services.embedder.space.dimension}))"
            )

    def __call__(self, texts: Sequence[str]) -> float:
        """Texts a second, committed."""
        before = time.perf_counter()
        for at in range(0, len(texts), 32):
            vectors = self._model.encode(texts[at : at + 32], batch_size=32, show_progress_bar=False)
            rows = [(at + row, str(vector.tolist())) for row, vector in enumerate(vectors)]
            with self._connection, self._connection.cursor() as cursor:
                execute_values(cursor, "INSERT INTO plain_loop VALUES %s", rows)
        return len(texts) / (time.perf_counter() - before)


def compare(
    services: Services, runs: InProcessRuns, name: str, texts: list[str], rounds: int, share: float
) -> dict[str, object]:
    """Medians of texts a second, and their ratios round by round."""
    key = PartitionKey("us", "benchmark", name)
    store(services, key, texts)
    runs.prepare([key])
    pipeline, plain = Pipeline(runs, key), PlainLoop(services)
    part = texts[: int(len(texts) * share)]
    contestants: dict[str, Callable[[], float]] = {
        "alone": partial(alone, services, texts),
        "pipeline": partial(pipeline, texts),
        "plain": partial(plain, part),
    }
    alone(services, texts[:256])
    plain(texts[:64])
    speeds: dict[str, list[float]] = {contestant: [] for contestant in contestants}
    for number in range(rounds):
        for contestant in list(contestants) if number % 2 == 0 else list(contestants)[::-1]:
            speeds[contestant].append(contestants[contestant]())
            print(f"{name} round {number + 1}/{rounds} {contestant}: {speeds[contestant][-1]:.1f} texts/s", flush=True)
    return {
        "texts": len(texts),
        **{f"{contestant}_per_second": statistics.median(values) for contestant, values in speeds.items()},
        "pipeline_to_alone": _ratio(speeds["pipeline"], speeds["alone"]),
        "pipeline_to_plain": _ratio(speeds["pipeline"], speeds["plain"]),
        "run": asdict(pipeline.reports[-1]),
    }


def _ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def main() -> None:
    """Print a table for chunks of like length and one for mixed lengths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    parser.add_argument("--texts", type=int, default=3072)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.25, help="of the texts, for the plain loop")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        with Services(load_settings(home=Path(home))) as services, recorded_runs(services, SilentListener()) as runs:
            services.embedder.load()
            texts = {
                "uniform": uniform_texts(services, arguments.filings, arguments.texts),
                "mixed": mixed_texts(arguments.filings, arguments.texts),
            }
            found = {
                name: compare(services, runs, name, texts[name], arguments.rounds, arguments.share) for name in texts
            }
            device = services.embedder.device
        leave_embedded_server(Path(home))
    print(f"\n{device}\n\n| texts | alone/s | pipeline/s | plain loop/s | pipeline / alone | pipeline / plain loop |")
    print("|---|---|---|---|---|---|")
    for name, figures in found.items():
        speeds = " | ".join(f"{figures[f'{who}_per_second']:.1f}" for who in ("alone", "pipeline", "plain"))
        ratios = f"{figures['pipeline_to_alone']:.3f} | {figures['pipeline_to_plain']:.2f}"
        print(f"| {figures['texts']:,} {name} | {speeds} | {ratios} |")
    run: Any = found["uniform"]["run"]
    print("\nstages of the last uniform run:", {k: v for k, v in run.items() if "seconds" in k})
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1, default=str))


if __name__ == "__main__":
    main()
