"""What a server costs."""

from dataclasses import replace

from .embedding.remote.embedder import RemoteEmbedder
from .estimates.backfill_plan import BackfillPlan
from .estimates.vector_size import vector_bytes
from .ports import Embedder


def price_of(embedder: Embedder) -> tuple[float | None, str]:
    """Give the price of a million tokens, None where it is not known, and its currency."""
    if not isinstance(embedder, RemoteEmbedder):
        return None, ""
    return embedder.model.price_per_million, embedder.model.provider.currency


def with_costs(plan: BackfillPlan, embedder: Embedder) -> BackfillPlan:
    """Add what the server costs, if one embeds, and the size of the vectors."""
    if not isinstance(embedder, RemoteEmbedder):
        return plan
    price, currency = price_of(embedder)
    size = sum(plan.chunks.values()) * vector_bytes(embedder.space.dimension)
    return replace(plan, price=price, currency=currency, disk_bytes=size)
