"""Reads from Dagster's storage what runs on any machine report of their batches."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from ..domain.runs_at_work import RunAtWork

# The newest of each run is shown. Runs report once a second at most, and there are tens of them at the same time.
_READ = 200


class ObservedBatches:
    """The batches that runs report from now on, of an asset of vectors.

    Args:
        instance: where the runs are recorded.
        asset: whose observations they are.
    """

    def __init__(self, instance: dg.DagsterInstance, asset: dg.AssetKey) -> None:
        self._instance = instance
        self._asset = asset
        newest = instance.fetch_observations(asset, limit=1).records
        self._after = newest[0].storage_id if newest else 0
        self._last: dict[tuple[str, str], RunAtWork] = {}

    def read(self) -> Sequence[RunAtWork]:
        """List the last batch of each run in each partition, those first that reported last."""
        records = self._instance.fetch_observations(self._asset, limit=_READ).records
        for record in reversed(records):
            batch = batch_of(record)
            if record.storage_id <= self._after or batch is None:
                continue
            self._last.pop((batch.run_id, batch.partition), None)
            self._last[batch.run_id, batch.partition] = batch
        self._after = records[0].storage_id if records else self._after
        return list(reversed(self._last.values()))


def batch_of(record: dg.EventLogRecord) -> RunAtWork | None:
    """Read what `ProgressEvents` has logged; None for an observation that somebody else made."""
    observation = record.asset_observation
    if observation is None or observation.partition is None:
        return None
    values: Mapping[str, Any] = {name: entry.value for name, entry in observation.metadata.items()}
    try:
        return RunAtWork(
            run_id=record.run_id,
            partition=observation.partition,
            processed=values["progress/processed"],
            total=values["progress/total"],
            chunks_per_second=values.get("progress/chunks_per_second", 0.0),
            line=values["progress"],
        )
    except KeyError:
        return None
