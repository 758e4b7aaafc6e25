"""The assets' keys, in the order of the way of the data."""

import dagster as dg

DOCUMENTS = dg.AssetKey(["bronze", "documents"])
DOCUMENT_CHUNKS = dg.AssetKey(["silver", "document_chunks"])
VECTORIZED_CHUNKS = dg.AssetKey(["silver", "vectorized_chunks"])
COVERAGE = dg.AssetKey(["gold", "coverage"])
