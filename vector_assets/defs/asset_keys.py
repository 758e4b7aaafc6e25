"""The keys of the assets, in the order in which data passes them."""

import dagster as dg

DOCUMENTS = dg.AssetKey(["bronze", "documents"])
DOCUMENT_CHUNKS = dg.AssetKey(["silver", "document_chunks"])
VECTORIZED_CHUNKS = dg.AssetKey(["silver", "vectorized_chunks"])
CANDIDATE_VECTORS = dg.AssetKey(["silver", "candidate_vectors"])
VECTORS = (VECTORIZED_CHUNKS, CANDIDATE_VECTORS)
"""Those whose steps embed: into the serving space, and into the one that is filled beside it."""
SERVING_SPACE = dg.AssetKey(["gold", "serving_space"])
COVERAGE = dg.AssetKey(["gold", "coverage"])
VECTOR_INDEX = dg.AssetKey(["gold", "vector_index"])
