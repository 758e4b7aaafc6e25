"""The audit gathers from stores and embedder the facts that the checks in `quality/` judge."""
