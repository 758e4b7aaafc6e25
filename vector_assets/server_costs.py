"""What a server costs: the price of its tokens, and how many of them a backfill will have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from .domain.partition_keys import PartitionKey
from .embedding.remote.embedder import MOST_BATCH_TEXTS, MOST_CONCURRENT, RemoteEmbedder
from .errors import VectorAssetsError
from .estimates.backfill_plan import PARTITION_SECONDS, BackfillPlan
from .estimates.vector_size import vector_bytes
from .ports import ChunkTextStore, Embedder

# Chunks that are counted to plan what a server will cost: enough to be a few percent from the truth.
_SAMPLED_PARTITIONS, _SAMPLED_CHUNKS = 20, 32
# Texts of the requests that are tried out: the first one opens the connection, and the other two are compared.
_TRIED_TEXTS = (1, 1, 8)


def price_of(embedder: Embedder) -> tuple[float | None, str]:
    """Give the price of a million tokens, None where it is not known, and its currency."""
    if not isinstance(embedder, RemoteEmbedder):
        return None, ""
    return embedder.model.price_per_million, embedder.model.provider.currency


def with_costs(plan: BackfillPlan, embedder: Embedder, texts: ChunkTextStore) -> BackfillPlan:
    """Add what the server costs, if one embeds, and the size of the vectors.

    Where no run has been made yet, some chunks are counted, and some are embedded to see how long that takes.
    """
    if not isinstance(embedder, RemoteEmbedder):
        return plan
    price, currency = price_of(embedder)
    size = sum(plan.chunks.values()) * vector_bytes(embedder.space.dimension)
    plan = replace(plan, price=price, currency=currency, disk_bytes=size)
    if plan.tokens is not None:
        return plan
    sample = _sample(texts, plan.chunks)
    tokens = sampled_tokens(sample, embedder, plan.chunks)
    if tokens is None:
        return plan
    return replace(plan, tokens=tokens, seconds=_tried_seconds(embedder, sample, plan, tokens), by_trial=True)


def _sample(store: ChunkTextStore, chunks: Mapping[PartitionKey, int]) -> list[str]:
    chosen = list(chunks)[:: max(len(chunks) // _SAMPLED_PARTITIONS, 1)]
    return [chunk.text for key in chosen for chunk in islice(store.texts(key, (), "plan"), _SAMPLED_CHUNKS)]


def sampled_tokens(sample: Sequence[str], embedder: Embedder, chunks: Mapping[PartitionKey, int]) -> int | None:
    """Estimate the tokens of so many chunks of each partition, from some of them; None: there are none."""
    tokens = sum(text.tokens_embedded for text in embedder.tokenize(sample))
    return round(tokens / len(sample) * sum(chunks.values())) if sample else None


def _tried_seconds(embedder: RemoteEmbedder, sample: Sequence[str], plan: BackfillPlan, tokens: int) -> float | None:
    """Estimate the time from a few requests; None: the server does not answer now, or the sample is too small.

    What each text adds is computing, which a server may do for one request at a time; the rest is waiting, which all
    requests do together.
    """
    left, taken = iter(embedder.tokenize(sample)), []
    try:
        for count in _TRIED_TEXTS:
            if not (texts := list(islice(left, count))):
                return None
            taken.append((embedder.try_out(texts), len(texts)))
    except VectorAssetsError:
        return None
    (_, _), (alone, _), (together, count) = taken
    a_text = max(together - alone, 0.0) / max(count - 1, 1)
    chunks = sum(plan.chunks.values())
    a_request = min(embedder.most_texts, MOST_BATCH_TEXTS, chunks)
    requests = -(-chunks // a_request)
    at_once = min(MOST_CONCURRENT, requests)
    seconds = requests * max(a_text * a_request, (alone + a_text * a_request) / at_once)
    limit = embedder.model.tokens_per_minute
    return max(seconds, 60 * tokens / limit if limit else 0.0) + len(plan.chunks) * PARTITION_SECONDS
