"""Chunks that other programs wrote: Dagster is told of them, or it would show them as never made."""

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..services import Services
from .asset_keys import DOCUMENT_CHUNKS


def tell_of_other_programs(context: dg.AssetExecutionContext, services: Services, key: PartitionKey) -> None:
    """Log a materialization of the partition's chunks if some were written since the last one.

    The run that embeds them does so, and not the sensor that requested it: a tick may request thousands of partitions.
    """
    written = services.chunks.newest_pending_at(key)
    if written is None:
        return
    of_partition = dg.AssetRecordsFilter(asset_key=DOCUMENT_CHUNKS, asset_partitions=[str(key)])
    last = context.instance.fetch_materializations(of_partition, limit=1).records
    if last and last[0].timestamp >= written.timestamp():
        return
    _, chunks = services.documents.counts(key)
    context.log_event(
        dg.AssetMaterialization(
            asset_key=DOCUMENT_CHUNKS,
            partition=str(key),
            description="Rows written by another program.",
            metadata={"chunks": chunks, "written_by": "another program"},
            tags={"dagster/data_version": services.coverage.content_digest(key)},
        )
    )
