"""Hands a backfill to the running Dagster through its storage, and reads how far it is. No webserver is needed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.execution.asset_backfill import AssetBackfillData
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.utils import make_new_backfill_id

from ...domain.partition_keys import PartitionKey
from ...errors import DaemonNotRunning
from ..assets import in_ranges
from ..partitions import register
from .run_origin import command_tags

_DAEMON = "BACKFILL"
# It writes a heartbeat every half minute.
_SILENCE_SECONDS = 90.0

_AT_WORK = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


@dataclass(frozen=True)
class BackfillState:
    """How far a backfill is. `done` and `failed` are partitions; `ended` is the status in which it ended, if it did."""

    done: frozenset[str]
    failed: frozenset[str]
    ended: str | None


class Backfills:
    """Backfills of the vectors in an instance.

    Args:
        instance: whose daemon starts the runs.
        most_partitions: of one run, as in the definitions that the daemon has.
        asset: whose partitions are embedded.
    """

    def __init__(self, instance: dg.DagsterInstance, most_partitions: int, asset: dg.AssetKey) -> None:
        self._instance = instance
        self.asset = asset
        self._most_partitions = most_partitions

    def targeted(self) -> dict[str, str]:
        """List the partitions that a backfill under way is about and has not done yet, with its id."""
        found: dict[str, str] = {}
        for backfill in self._instance.get_backfills(BulkActionsFilter(statuses=_AT_WORK)):
            if backfill.is_asset_backfill and self.asset in (backfill.asset_selection or []):
                data = backfill.get_asset_backfill_data(self._graph)
                waiting = _keys(data.target_subset) - self._done(data) - _keys(data.failed_and_downstream_subset)
                found |= dict.fromkeys(waiting, backfill.backfill_id)
        return found

    def launch(self, partitions: Sequence[PartitionKey], config: Mapping[str, Any], title: str) -> str:
        """Request the partitions' vectors and give the backfill's id; `config` is that of the step that vectorizes.

        Raises:
            DaemonNotRunning: nothing would start.
        """
        self.require_daemon()
        register(self._instance, partitions)
        backfill = PartitionBackfill.from_asset_partitions(
            backfill_id=make_new_backfill_id(),
            asset_graph=self._graph,
            partition_names=[str(key) for key in partitions],
            asset_selection=[self.asset],
            backfill_timestamp=time.time(),
            tags=command_tags(),
            dynamic_partitions_store=self._instance,
            all_partitions=False,
            title=title,
            description=None,
            run_config={"ops": {self.asset.to_python_identifier(): {"config": dict(config)}}},
        )
        self._instance.add_backfill(backfill)
        return backfill.backfill_id

    def require_daemon(self, waiting: str | None = None) -> None:
        """Refuse to wait for what nobody does; `waiting` is the id of the backfill that would wait.

        Raises:
            DaemonNotRunning: its last heartbeat is too old, or there is none.
        """
        heartbeat = self._instance.get_daemon_heartbeats().get(_DAEMON)
        if heartbeat is None or time.time() - heartbeat.timestamp > _SILENCE_SECONDS:
            raise DaemonNotRunning(waiting)

    def state(self, backfill_id: str) -> BackfillState:
        """Read how far the backfill is now."""
        backfill = self._instance.get_backfill(backfill_id)
        assert backfill is not None
        data = backfill.get_asset_backfill_data(self._graph)
        ended = None if backfill.status in _AT_WORK else backfill.status.value
        return BackfillState(frozenset(self._done(data)), frozenset(_keys(data.failed_and_downstream_subset)), ended)

    def _done(self, data: AssetBackfillData) -> set[str]:
        """List what its runs have materialized. The daemon, which looks every half minute, may not know of it yet."""
        done = _keys(data.materialized_subset)
        if data.latest_storage_id is not None:
            later = self._instance.get_materialized_partitions(self.asset, after_cursor=data.latest_storage_id)
            done |= later & _keys(data.target_subset)
        return done

    @cached_property
    def _graph(self) -> AssetGraph:
        return AssetGraph.from_assets(in_ranges(self._most_partitions))


def _keys(subset: AssetGraphSubset) -> set[str]:
    return {item.partition_key for item in subset.iterate_asset_partitions() if item.partition_key is not None}
