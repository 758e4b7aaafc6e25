"""What all inspections of a run cost together, and how good its announced time left was, on texts of mixed lengths.

Rows are inspected as they come; a drift check comes before the run, checks and a picture after it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.corpus import mixed_texts, store, uniform_texts
from benchmarks.table import Table, add_json_option
from vector_assets.cli.demo import SAMPLES
from vector_assets.defs.checks import judged
from vector_assets.defs.pictures import run_picture
from vector_assets.defs.vector_checks import VECTOR_CHECKS, gather
from vector_assets.domain import PartitionKey, VectorizeReport
from vector_assets.drift import DriftWatch
from vector_assets.inspection.distribution import Distribution
from vector_assets.settings import load_settings
from vector_assets.storage.canaries import PostgresCanaryStore
from vector_assets.storage.embedded import leave_embedded_server
from vector_assets.wiring import Parts


def seconds_of(act: Callable[[], object]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before


def run(parts: Parts, key: PartitionKey) -> tuple[VectorizeReport, dict[str, float]]:
    """One run over the partition, all of it, and what each kind of inspection took."""
    distribution = Distribution(parts.space.dimension)
    vectorizer = parts.vectorizer()
    moment = parts.evidence.moment()
    drift = DriftWatch(parts.embedder, PostgresCanaryStore(parts.database), parts.space)
    taken = {"drift": seconds_of(drift.check)}
    report = vectorizer.vectorize_partition(key, True, lambda _: None, distribution=distribution)
    taken["rows"] = report.stages.inspect
    facts = []
    taken["checks"] = seconds_of(
        lambda: facts.extend(judged(VECTOR_CHECKS, lambda: gather(parts, key, report, None, 0.05, moment)))
    )
    may_warn = {"vocabulary_covers_text", "nothing_truncated"}
    assert all(verdict.passed for name, verdict in facts if name not in may_warn), facts
    taken["picture"] = seconds_of(lambda: run_picture(distribution, report, parts.space.max_tokens))
    return report, taken


def main() -> None:
    """Print a row for uniform and one for mixed texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    parser.add_argument("--texts", type=int, default=3072)
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    arguments = parser.parse_args()
    columns = ("texts", "seconds", "drift", "rows", "checks", "picture", "share of the run (each round)", "median")
    columns += ("error of the time left at 25, 50, 75 % (each round)",)
    table = Table(*columns, json_file=arguments.json)
    with tempfile.TemporaryDirectory() as home:
        with Parts(load_settings(home=Path(home))) as parts:
            kinds = {
                "uniform": uniform_texts(parts, arguments.filings, arguments.texts),
                "mixed": mixed_texts(arguments.filings, arguments.texts),
            }
            for name, texts in kinds.items():
                key = PartitionKey("us", "benchmark", name)
                store(parts, key, texts)
                run(parts, key)  # kernels are made, and the picture's library is imported
                rounds = [run(parts, key) for _ in range(arguments.rounds)]
                shares = [sum(taken.values()) / report.seconds for report, taken in rounds]
                errors = [
                    "/".join(f"{error:+.0f}%" for error in r.estimate_errors.values() if error) for r, _ in rounds
                ]
                medians = [
                    statistics.median(taken[kind] for _, taken in rounds)
                    for kind in ("drift", "rows", "checks", "picture")
                ]
                seconds = statistics.median(report.seconds for report, _ in rounds)
                what = f"{len(texts):,} {name}"
                table.add(what, seconds, *medians, shares, statistics.median(shares), ", ".join(errors))
        leave_embedded_server(Path(home))


if __name__ == "__main__":
    main()
