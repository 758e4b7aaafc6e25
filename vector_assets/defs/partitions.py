"""One Dagster partition per `market/doc_type/stock_code`."""

from collections.abc import Iterable, Sequence

import dagster as dg
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from ..domain.partition_keys import PartitionKey
from .asset_keys import VECTORIZED_CHUNKS

PARTITIONS_NAME = "filings"
PARTITIONS = dg.DynamicPartitionsDefinition(name=PARTITIONS_NAME)

_TAGGED = ("market", "doc_type", "stock_code")


def unregistered(known: Iterable[str], keys: Iterable[PartitionKey]) -> list[str]:
    """Those that Dagster does not know yet, sorted: ranges run in the order of insertion, so markets stay together."""
    return sorted({str(key) for key in keys} - set(known))


def register(instance: dg.DagsterInstance, keys: Iterable[PartitionKey]) -> None:
    """Make the keys partitions, in one call (one call a key would take 15 ms each)."""
    new = unregistered(instance.get_dynamic_partitions(PARTITIONS_NAME), keys)
    if new:
        instance.add_dynamic_partitions(PARTITIONS_NAME, new)


def failed_partitions(instance: dg.DagsterInstance) -> set[str]:
    """Those of the vectors' partitions that Dagster shows in red: what was last tried there failed."""
    state = get_and_update_asset_status_cache_value(instance, VECTORIZED_CHUNKS, PARTITIONS, instance)
    return set(state.deserialize_failed_partition_subsets(PARTITIONS).get_partition_keys()) if state else set()


def run_tags(keys: Sequence[PartitionKey]) -> dict[str, str]:
    """Tags by which the Runs page filters: what all partitions of the run have in common."""
    values = {name: {str(getattr(key, name)) for key in keys} for name in _TAGGED}
    return {name: found.pop() for name, found in values.items() if len(found) == 1}
