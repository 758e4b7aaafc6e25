"""Chunks that other programs wrote: they are logged as materializations, or Dagster would show them as missing."""

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..services import Services
from ..translation import translate
from .asset_keys import DOCUMENT_CHUNKS
from .runtime.tags import DATA_VERSION_TAG


def log_external_writes(context: dg.AssetExecutionContext, services: Services, key: PartitionKey) -> None:
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
            description=translate("Another program wrote these rows."),
            metadata={"chunks": chunks, "written_by": "another program"},
            tags={DATA_VERSION_TAG: services.coverage.content_digest(key)},
        )
    )
