"""What progress events cost: runs with an event a second against runs with the first and the last only.

The runs take turns on the same chunks. The machine's noise is larger than the difference, so the share that the
run itself measured for reporting is given too.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.corpus import store, uniform_texts
from benchmarks.progress_cost import progress_cost
from benchmarks.table import Table, add_json_option
from vector_assets.cli.demo import SAMPLES
from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.embedded_server import leave_embedded_server

_KEY = PartitionKey("us", "benchmark", "PROGRESS")
_OFF = 86_400.0


def main() -> None:
    """Print the ratio of the speeds, and events and their share of the runs that had them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        with Services(load_settings(home=Path(home))) as services, recorded_runs(services, SilentListener()) as runs:
            store(services, _KEY, uniform_texts(services, arguments.filings, arguments.texts))
            runs.prepare([_KEY])
            ratios, shares, events = [], [], []
            for _ in range(arguments.rounds):
                seconds = {}
                for interval in (1.0, _OFF):
                    config = {"force_revectorize": True, "progress_interval_seconds": interval}
                    result = runs.run(_KEY, [VECTORIZED_CHUNKS], config)
                    assert result.report is not None, result.error
                    seconds[interval] = result.report.seconds
                    if interval == 1.0:
                        count, cost = progress_cost(services, result.run_id)
                        shares.append(cost / result.report.seconds)
                        events.append(count)
                ratios.append(seconds[1.0] / seconds[_OFF])
        leave_embedded_server(Path(home))
    columns = ("texts", "seconds with events / without (each round)", "median", "events a run", "reporting's share")
    table = Table(*columns, json_file=arguments.json)
    table.add(arguments.texts, ratios, statistics.median(ratios), events, statistics.median(shares))


if __name__ == "__main__":
    main()
