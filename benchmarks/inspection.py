"""What all inspections of a run cost together, and how good its announced time left was.

Each round is a run as Dagster does it, of the chunks' and the vectors' assets, with clocks in what inspects: the drift
check, every batch's rows, the checks with the events that log them, the distribution with its picture. Rows are
inspected while all cores are at work, and cost the run the CPU's time of it over the cores.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg

from benchmarks.corpus import mixed_texts, store, uniform_texts
from benchmarks.table import Table, add_json_option
from vector_assets.audit.chunk_audit import ChunkAudit
from vector_assets.audit.vector_audit import VectorAudit
from vector_assets.cli.demo import SAMPLES
from vector_assets.defs import partition_ranges as ranges
from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, VECTORIZED_CHUNKS
from vector_assets.defs.check_events import log_check_results
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import InProcessRuns, recorded_runs
from vector_assets.defs.vectors_metadata import VectorsTotals
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.quality.check_runner import CheckResults
from vector_assets.quality.distribution import Distribution
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

_KINDS = ("drift", "rows", "checks", "distribution")
_MARKS = (25, 50, 75)
# Some of the texts are Chinese, and mixed ones are cut without regard to the model's limit.
_MAY_WARN = {"vocabulary_covers_text", "nothing_truncated", "chunk_sizes_in_range"}


@contextmanager
def clocks(services: Services) -> Iterator[dict[str, float]]:
    """Gives the seconds that each kind of inspection took meanwhile, all but the rows', which runs count themselves."""
    taken = dict.fromkeys(_KINDS, 0.0)

    def timed(kind: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def acted(*given: Any) -> Any:
            before = time.perf_counter()
            try:
                return act(*given)
            finally:
                taken[kind] += time.perf_counter() - before

        return acted

    def log_good(context: dg.AssetExecutionContext, key: PartitionKey, results: CheckResults) -> None:
        log_check_results(context, key, good(results))

    with ExitStack() as stack:
        for kind, place, name, act in (
            ("drift", services.drift, "check", services.drift.check),
            ("checks", ranges, "log_check_results", log_good),
            ("checks", ChunkAudit, "results", ChunkAudit.results),
            ("checks", VectorAudit, "results", VectorAudit.results),
            ("distribution", Distribution, "summary_of_partition", Distribution.summary_of_partition),
            ("distribution", VectorsTotals, "metadata", VectorsTotals.metadata),
        ):
            stack.enter_context(patch.object(place, name, timed(kind, act)))
        yield taken


def good(results: CheckResults) -> CheckResults:
    """A check that fails may take less time than one that passes."""
    for name, result in results:
        assert result.passed or name in _MAY_WARN, (name, result)
    return results


@dataclass(frozen=True)
class Round:
    """Seconds of one run over all chunks of the partition, and of them those of each kind of inspection."""

    seconds: float
    taken: dict[str, float]
    errors: str

    @property
    def share(self) -> float:
        """Of the run, 0 to 1."""
        return sum(self.taken.values()) / self.seconds


def run(services: Services, runs: InProcessRuns, key: PartitionKey) -> Round:
    del services.drift  # as in a process of its own
    before = time.perf_counter()
    with clocks(services) as taken:
        result = runs.run(key, [DOCUMENT_CHUNKS, VECTORIZED_CHUNKS], {"force_revectorize": True})
    seconds = time.perf_counter() - before
    assert result.report is not None, result.error
    taken["rows"] = result.report.stages.inspect / len(os.sched_getaffinity(0))
    assert all(taken.values()), taken
    named = [result.report.estimate_errors.get(mark) for mark in _MARKS]
    return Round(seconds, taken, "/".join("-" if error is None else f"{error:+.0f}%" for error in named))


def main() -> None:
    """Print a row for uniform and one for mixed texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    parser.add_argument("--texts", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    arguments = parser.parse_args()
    shares_of = ("share of the run (each round)", "median")
    error_of = "error of the time left at 25, 50, 75 % (each round)"
    table = Table("texts", "seconds", *_KINDS, *shares_of, error_of, json_file=arguments.json)
    with tempfile.TemporaryDirectory() as home:
        with Services(load_settings(home=Path(home))) as services, recorded_runs(services, SilentListener()) as runs:
            kinds = {
                "uniform": uniform_texts(services, arguments.filings, arguments.texts),
                "mixed": mixed_texts(arguments.filings, arguments.texts),
            }
            _ = services.drift
            for name, texts in kinds.items():
                key = PartitionKey("us", "benchmark", name)
                store(services, key, texts, services.ingestion.chunker.identity)
                runs.prepare([key])
                run(services, runs, key)  # kernels are made, and libraries imported
                rounds = [run(services, runs, key) for _ in range(arguments.rounds)]
                shares = [one.share for one in rounds]
                medians = [statistics.median(one.taken[kind] for one in rounds) for kind in _KINDS]
                seconds = statistics.median(one.seconds for one in rounds)
                errors = ", ".join(one.errors for one in rounds)
                table.add(f"{len(texts):,} {name}", seconds, *medians, shares, statistics.median(shares), errors)
        leave_embedded_server(Path(home))


if __name__ == "__main__":
    main()
