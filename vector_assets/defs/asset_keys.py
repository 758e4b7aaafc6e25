"""The keys of the assets, in the order in which data passes them."""

import dagster as dg

DOCUMENTS = dg.AssetKey(["bronze", "documents"])
DOCUMENT_CHUNKS = dg.AssetKey(["silver", "document_chunks"])
VECTORIZED_CHUNKS = dg.AssetKey(["silver", "vectorized_chunks"])
COVERAGE = dg.AssetKey(["gold", "coverage"])
