"""What a server costs: the price of its tokens, and how many of them a backfill will have."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from .domain.partition_keys import PartitionKey
from .embedding.remote.embedder import RemoteEmbedder
from .estimates.backfill_plan import BackfillPlan
from .estimates.vector_size import vector_bytes
from .ports import ChunkTextStore, Embedder

# Chunks that are counted to plan what a server will cost: enough to be a few percent from the truth.
_SAMPLED_PARTITIONS, _SAMPLED_CHUNKS = 20, 32


def price_of(embedder: Embedder) -> tuple[float | None, str]:
    """Give the price of a million tokens, None where it is not known, and its currency."""
    if not isinstance(embedder, RemoteEmbedder):
        return None, ""
    return embedder.model.price_per_million, embedder.model.provider.currency


def with_costs(plan: BackfillPlan, embedder: Embedder, texts: ChunkTextStore) -> BackfillPlan:
    """Add what the server costs, if one embeds, and the size of the vectors.

    Where no run has been made yet, some chunks are counted.
    """
    if not embedder.space.provider:
        return plan
    tokens = sampled_tokens(texts, embedder, plan.chunks) if plan.tokens is None else plan.tokens
    price, currency = price_of(embedder)
    size = sum(plan.chunks.values()) * vector_bytes(embedder.space.dimension)
    return replace(plan, tokens=tokens, price=price, currency=currency, disk_bytes=size)


def sampled_tokens(store: ChunkTextStore, embedder: Embedder, chunks: Mapping[PartitionKey, int]) -> int | None:
    """Estimate the tokens of so many chunks of each partition, from some of them; None: there are none."""
    counted = tokens = 0
    for partition in list(chunks)[:: max(len(chunks) // _SAMPLED_PARTITIONS, 1)]:
        sample = [chunk.text for chunk in islice(store.texts(partition, (), "plan"), _SAMPLED_CHUNKS)]
        counted += len(sample)
        tokens += sum(text.tokens_embedded for text in embedder.tokenize(sample))
    return round(tokens / counted * sum(chunks.values())) if counted else None
