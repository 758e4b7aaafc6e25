"""The whole way (three assets, Dagster's storage on PostgreSQL, progress events) against the embedder alone.

Both do the same chunks in one process: after each partition's run the embedder alone does a part of them, so that a
machine that slows down slows both. The embedder alone gets its chunks sorted by length over the whole corpus.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.corpus import chunk_texts
from benchmarks.progress_cost import progress_cost
from vector_assets.cli.demo import SAMPLES
from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.run_results import RunResult
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server


@dataclass(frozen=True)
class Figures:
    """What was measured; times in seconds, over all partitions."""

    documents: int
    skipped: int
    partitions: int
    chunks: int
    quarantined: int
    start_seconds: float
    pipeline_seconds: float
    embedder_seconds: float
    progress_events: int
    progress_seconds: float
    peak_memory_mib: float

    def table(self) -> str:
        """The figures as a Markdown table."""
        ratio = self.embedder_seconds / self.pipeline_seconds
        ratio_with_start = self.embedder_seconds / (self.pipeline_seconds + self.start_seconds)
        rows = [
            ("documents (skipped)", f"{self.documents} ({self.skipped})"),
            ("partitions", f"{self.partitions}"),
            ("chunks (quarantined)", f"{self.chunks:,} ({self.quarantined})"),
            ("start: database, model", f"{self.start_seconds:.1f} s"),
            ("pipeline", f"{self.pipeline_seconds:.1f} s, {self.chunks / self.pipeline_seconds:.1f} chunks/s"),
            ("embedder alone", f"{self.embedder_seconds:.1f} s, {self.chunks / self.embedder_seconds:.1f} chunks/s"),
            ("pipeline / embedder alone", f"{ratio:.3f} ({ratio_with_start:.3f} with the start)"),
            (
                "progress events",
                f"{self.progress_events}, {self.progress_seconds / self.pipeline_seconds:.2%} of the pipeline",
            ),
            ("peak memory", f"{self.peak_memory_mib:,.0f} MiB"),
        ]
        return "\n".join(["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def measure(filings: Path, home: Path) -> Figures:
    started = time.perf_counter()
    with (
        Services(load_settings(home=home, landing_dir=filings)) as services,
        recorded_runs(services, SilentListener()) as runs,
    ):
        services.embedder.embed_query("ready")
        start_seconds = time.perf_counter() - started

        partitions = services.ingestion.changes().partitions
        runs.prepare(partitions)
        alone = _Alone(services, filings)
        results: list[RunResult] = []
        pipeline_seconds = embedder_seconds = 0.0
        for number, partition in enumerate(partitions, 1):
            before = time.perf_counter()
            results.append(runs.run(partition, [DOCUMENTS, DOCUMENT_CHUNKS, VECTORIZED_CHUNKS]))
            pipeline_seconds += (between := time.perf_counter()) - before
            alone.go_on_to(number / len(partitions))
            embedder_seconds += time.perf_counter() - between
            times = f"{pipeline_seconds:.0f} s, alone {embedder_seconds:.0f} s"
            print(f"{number}/{len(partitions)} {partition} {times}", flush=True)
        assert not [result for result in results if result.error]
        assert sum(status.current for status in services.status()) == alone.chunks, "the two did not do the same chunks"
        documents = sum(services.documents.counts(status.partition)[0] for status in services.status())
        skipped = len(services.documents.rejections())
        costs = [progress_cost(services, result.run_id) for result in results]
    return Figures(
        documents=documents,
        skipped=skipped,
        partitions=len(partitions),
        chunks=alone.chunks,
        quarantined=sum(result.report.failed_count for result in results if result.report),
        start_seconds=start_seconds,
        pipeline_seconds=pipeline_seconds,
        embedder_seconds=embedder_seconds,
        progress_events=sum(count for count, _ in costs),
        progress_seconds=sum(seconds for _, seconds in costs),
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


class _Alone:
    """The embedder with the same chunks and nothing around it: no database, no events, no reading."""

    def __init__(self, services: Services, filings: Path) -> None:
        self._embedder = services.embedder
        texts = sorted(
            services.embedder.tokenize(list(chunk_texts(services, filings))), key=lambda text: -text.tokens_embedded
        )
        self.chunks = len(texts)
        size = services.settings.embedding_batch_size
        self._batches: list[list[TokenizedText]] = [texts[at : at + size] for at in range(0, len(texts), size)]
        random.Random(0).shuffle(self._batches)  # every part of the work has batches of every length
        self._total = len(self._batches)

    def go_on_to(self, share: float) -> None:
        """Embed until this share of all batches is done, with as many calls at once as are worth it."""
        part = []
        while len(self._batches) > self._total * (1 - share):
            part.append(self._batches.pop())
        with ThreadPoolExecutor(self._embedder.concurrency) as threads:
            list(threads.map(self._embedder.embed, part))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        figures = measure(arguments.filings, Path(home))
        leave_embedded_server(Path(home))
    print(figures.table())
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(figures), indent=1))


if __name__ == "__main__":
    main()
