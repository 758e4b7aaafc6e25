"""What the progress events of a recorded run cost, as its materialization says."""

import dagster as dg

from vector_assets.defs.runtime.instance import open_instance
from vector_assets.services import Services


def progress_cost(services: Services, run_id: str) -> tuple[int, float]:
    """Return how many progress events the run logged, and how many seconds they took from it."""
    with open_instance(services) as instance:
        entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    (table,) = [
        metadata["diagnostics"]
        for entry in entries
        if (made := entry.asset_materialization) and "diagnostics" in (metadata := made.metadata)
    ]
    assert isinstance(table, dg.TableMetadataValue)
    (cost,) = [record.data["value"] for record in table.records if record.data["figure"] == "progress events"]
    count, _, seconds, _ = str(cost).split()  # 9 in 0.031 s
    return int(count.replace(",", "")), float(seconds)
