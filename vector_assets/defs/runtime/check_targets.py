"""The materialization that a check result is about. Dagster takes it as a class that it does not export."""

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData


def last_materialization(
    context: dg.AssetExecutionContext, partition: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """Find the asset's newest materialization of a partition; None if there is none.

    Dagster shows a check result only as long as the materialization that it names is the newest.
    """
    of_partition = dg.AssetRecordsFilter(asset_key=context.asset_key, asset_partitions=[partition])
    found = context.instance.fetch_materializations(of_partition, limit=1).records
    if not found:
        return None
    last = found[0]
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=last.storage_id, run_id=last.run_id, timestamp=last.timestamp
    )
