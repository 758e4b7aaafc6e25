"""Which partitions Dagster's pages show in red."""

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from ..partitions import PARTITIONS


def failed_partitions(instance: dg.DagsterInstance, asset: dg.AssetKey) -> set[str]:
    """List the partitions of the asset whose last run failed, as Dagster's pages do."""
    state = get_and_update_asset_status_cache_value(instance, asset, PARTITIONS, instance)
    return set(state.deserialize_failed_partition_subsets(PARTITIONS).get_partition_keys()) if state else set()
