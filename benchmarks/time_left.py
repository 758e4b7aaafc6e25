"""How right the time left was that a backfill showed, at 25, 50 and 75 % of its chunks, over your own filings.

Two backfills of a new home, as a person starts them: one before the model has made any run, whose plan comes from a
trial, and one of all chunks again, whose plan comes from the last runs. The lines that `vector-assets backfill` prints
are read with the time at which they come. Beside them, what the runs recorded in Dagster of their own estimates: the
median, without its sign, over partitions of many chunks.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.table import Table, add_json_option
from vector_assets.cli.demo import SAMPLES
from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.estimates.accuracy import MARKS
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

_UNITS = {"s": 1, "min": 60, "h": 3600}
_DURATION = r"\d+ (?:s|min|h)(?: \d+ (?:s|min))?"
_PLAN = re.compile(rf"about ({_DURATION})")
_LINE = re.compile(rf"\(all: .*?\((\d+\.\d)%\).*?({_DURATION}) left")
_RECORDED = re.compile(r"time left at (\d+)% was off by")
_END = re.compile(r"[\d,]+ chunks? vectorized, ")
# Runs of fewer chunks are over in a few seconds.
_MANY_CHUNKS = 200


class Said(NamedTuple):
    """A line: seconds since the plan was printed, the percent of the chunks, and the seconds left that it names."""

    at: float
    percent: float
    left: float


class Backfill(NamedTuple):
    """What a backfill said, and how long it took from its plan on."""

    said: list[Said]
    seconds: float

    def error_at(self, mark: float) -> float | None:
        """Percent by which the estimate was off that stood there at so many percent; None: there was none."""
        before = [line for line in self.said if line.percent <= mark]
        if not before:
            return None
        true = self.seconds - before[-1].at
        return 100 * (before[-1].left - true) / true


def backfill(home: Path, *options: str) -> Backfill:
    """Run the command over all partitions and time its lines."""
    said, began = list[Said](), None
    with _command(home, "backfill", *options) as lines:
        assert lines.stdout is not None
        for line in lines.stdout:
            now = time.monotonic()
            if began is None and (plan := _PLAN.search(line)):
                began = now
                said.append(Said(0.0, 0.0, _seconds(plan[1])))
            elif began is not None and (shown := _LINE.search(line)):
                said.append(Said(now - began, float(shown[1]), _seconds(shown[2])))
            elif began is not None and _END.match(line):
                return Backfill(said, now - began)
    raise AssertionError("the backfill did not end")


def _command(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"VECTOR_ASSETS_HOME": str(home), "PYTHONUNBUFFERED": "1", "LANGUAGE": "en"}
    command = [sys.executable, "-m", "vector_assets.cli", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _seconds(duration: str) -> float:
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall(r"(\d+) (s|min|h)", duration))


def recorded(home: Path) -> Iterator[tuple[int, float]]:
    """Give each mark with the percent by which a run of many chunks was off there, as Dagster shows it."""
    with Services(load_settings(home=home)) as services, open_instance(services) as instance:
        for record in instance.fetch_materializations(VECTORIZED_CHUNKS, limit=1000).records:
            assert record.asset_materialization is not None
            metadata = record.asset_materialization.metadata
            if int(str(metadata["vectorized"].value)) >= _MANY_CHUNKS:
                for row in metadata["diagnostics"].value.records:  # type: ignore[union-attr]
                    name, value = list(row.data.values())[:2]
                    if mark := _RECORDED.match(str(name)):
                        yield int(mark[1]), float(str(value).rstrip("%"))


def main() -> None:
    """Print a row for each backfill, and one for the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with _command(home, "ingest", str(arguments.filings.absolute())) as ingest:
            said, _ = ingest.communicate()
        assert ingest.returncode == 0, said
        columns = ("estimates of", "seconds", "off by: the plan, at 25, 50, 75 % (percent)")
        table = Table(*columns, json_file=arguments.json)
        for name, options in (("a first backfill", ()), ("a backfill of all again", ("--force",))):
            done = backfill(home, *options)
            table.add(name, done.seconds, [done.error_at(mark) for mark in (0, *MARKS)])
        found = list(recorded(home))
        medians = [statistics.median(abs(error) for at, error in found if at == mark) for mark in MARKS]
        table.add(f"{len(found) // len(MARKS)} runs of {_MANY_CHUNKS} chunks and more", "", medians)
        leave_embedded_server(home)


if __name__ == "__main__":
    main()
