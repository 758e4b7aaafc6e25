"""Estimate what a backfill takes before its model has made a run: some chunks are counted, and a few embedded."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from .domain.chunks import TokenizedText
from .domain.partition_keys import PartitionKey
from .embedding.remote.embedder import MOST_BATCH_TEXTS, MOST_CONCURRENT, RemoteEmbedder
from .errors import EmbedderHung, VectorAssetsError
from .estimates.backfill_plan import PARTITION_SECONDS, BackfillPlan
from .ports import ChunkTextStore, Embedder
from .vectorizer.embed_deadline import EmbedDeadline
from .vectorizer.thread_stages import map_in_order, run_in_thread

# Chunks that are counted: enough to be a few percent from the truth.
_SAMPLED_PARTITIONS, _SAMPLED_CHUNKS = 20, 32
# Texts of the requests that are tried out: the first one opens the connection, and the other two are compared.
_TRIED_TEXTS = (1, 1, 8)
# A trial in this process embeds, in each call, at most so many texts, and so few that it takes about so many seconds.
_MOST_TEXTS_A_CALL, _TRIAL_SECONDS = 16, 1.0
# Fewer chunks are embedded about as soon as a trial of some of them.
_WORTH_A_TRIAL = 64


def with_trial(plan: BackfillPlan, embedder: Embedder, store: ChunkTextStore, timeout_seconds: float) -> BackfillPlan:
    """Add tokens and seconds to a plan that has none; where the embedder does not work now, the seconds stay unknown.

    Takes a few seconds: the model is loaded for it, or its server is called. Nothing is stored. A model in this process
    is not tried for a few chunks, which are counted only.

    Raises:
        EmbedderHung: a call of it takes longer than the time limit.
    """
    chunks = sum(plan.chunks.values())
    try:
        sample = embedder.tokenize(_sample(store, plan.chunks))
        if not sample:
            return plan
        tokens = round(_tokens(sample) / len(sample) * chunks)
        if isinstance(embedder, RemoteEmbedder):
            seconds = _server_seconds(embedder, sample, plan, tokens)
        elif chunks < _WORTH_A_TRIAL:
            seconds = None
        else:
            deadline = EmbedDeadline(embedder.space.model, timeout_seconds)
            seconds = _seconds(embedder, sample, tokens, deadline)
    except EmbedderHung:
        raise
    except Exception:  # noqa: BLE001  (of any class, if a text is at fault; the run finds out, and says so)
        return plan
    if seconds is not None:
        seconds += len(plan.chunks) * PARTITION_SECONDS
    return replace(plan, tokens=tokens, seconds=seconds, by_trial=seconds is not None)


def _sample(store: ChunkTextStore, chunks: Mapping[PartitionKey, int]) -> list[str]:
    chosen = list(chunks)[:: max(len(chunks) // _SAMPLED_PARTITIONS, 1)]
    return [chunk.text for key in chosen for chunk in islice(store.texts(key, (), "plan"), _SAMPLED_CHUNKS)]


def _tokens(texts: Sequence[TokenizedText]) -> int:
    return sum(text.tokens_embedded for text in texts)


def _server_seconds(
    embedder: RemoteEmbedder, sample: Sequence[TokenizedText], plan: BackfillPlan, tokens: int
) -> float | None:
    """Estimate the time from a few requests; None: the server does not answer now, or the sample is too small.

    What each text adds is computing, which a server may do for one request at a time; the rest is waiting, which all
    requests do together.
    """
    left, taken = iter(sample), []
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
    return max(seconds, 60 * tokens / limit if limit else 0.0)


def _seconds(embedder: Embedder, sample: Sequence[TokenizedText], tokens: int, deadline: EmbedDeadline) -> float:
    """Estimate the time from two rounds of calls as a run makes them; in the first one, kernels are made."""
    run_in_thread(embedder.load, deadline)
    typical = sorted(sample, key=lambda text: text.tokens_embedded)[len(sample) // 2]
    _timed(embedder, [[typical]], deadline)
    alone = _timed(embedder, [[typical]], deadline)
    a_call = max(1, min(_MOST_TEXTS_A_CALL, int(_TRIAL_SECONDS / max(alone, 1e-3))))
    count = a_call * embedder.concurrency
    tried = sorted(sample[:: max(len(sample) // count, 1)][:count], key=lambda text: text.tokens_embedded)
    calls = [tried[start : start + a_call] for start in range(0, len(tried), a_call)]
    _timed(embedder, calls, deadline)
    return _timed(embedder, calls, deadline) * tokens / max(_tokens(tried), 1)


def _timed(embedder: Embedder, calls: Sequence[Sequence[TokenizedText]], deadline: EmbedDeadline) -> float:
    """Make the calls, as many at once as a run would, and say how many seconds they take."""

    def call(texts: Sequence[TokenizedText]) -> None:
        with deadline.embedder_call():
            embedder.embed(texts)

    started = time.perf_counter()
    for _ in map_in_order(call, iter(calls), embedder.concurrency, deadline):
        pass
    return time.perf_counter() - started
