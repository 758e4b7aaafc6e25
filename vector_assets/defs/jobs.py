"""One job to ingest a partition, one to vectorize it."""

import dagster as dg

from .asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from .partitions import PARTITIONS

ingest = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.assets(DOCUMENTS, DOCUMENT_CHUNKS),
    partitions_def=PARTITIONS,
    description="Read a partition's new documents and cut them into chunks.",
)
vectorize = dg.define_asset_job(
    "vectorize",
    selection=dg.AssetSelection.assets(VECTORIZED_CHUNKS),
    partitions_def=PARTITIONS,
    description="Embed a partition's pending chunks.",
)

JOBS = [ingest, vectorize]
