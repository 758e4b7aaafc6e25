"""One job to ingest a partition, and one to vectorize it in each of the two live spaces."""

import dagster as dg

from .asset_keys import CANDIDATE_VECTORS, DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from .partitions import PARTITIONS

# One process a run saves a second import of everything, one to two seconds a run. Said of each job, and not of the
# definitions: these may be merged with those of a project that has an executor of its own.
ingest = dg.define_asset_job(
    "vector_assets_ingest",
    selection=dg.AssetSelection.assets(DOCUMENTS, DOCUMENT_CHUNKS),
    partitions_def=PARTITIONS,
    executor_def=dg.in_process_executor,
    description="Read a partition's new documents and chunk them.",
)
vectorize = dg.define_asset_job(
    "vector_assets_vectorize",
    selection=dg.AssetSelection.assets(VECTORIZED_CHUNKS),
    partitions_def=PARTITIONS,
    executor_def=dg.in_process_executor,
    description="Embed a partition's pending chunks.",
)

fill_candidate = dg.define_asset_job(
    "vector_assets_fill_candidate",
    selection=dg.AssetSelection.assets(CANDIDATE_VECTORS),
    partitions_def=PARTITIONS,
    executor_def=dg.in_process_executor,
    description="Embed a partition's pending chunks in the space that is filled beside the serving one.",
)

JOBS = [ingest, vectorize, fill_candidate]
