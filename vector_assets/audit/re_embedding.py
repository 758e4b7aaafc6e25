"""Embed a few of a partition's chunks again, as a run does."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np

from ..domain.spaces import Vectors
from ..errors import BadVectors
from ..ports import Embedder
from ..quality.partition_facts import ChunkText
from ..vectorizer.embed_deadline import EmbedDeadline
from ..vectorizer.thread_stages import map_in_order

# One chunk is embedded again, and one more for each two thousand that the run embedded: a two-thousandth of its work.
# Where all rows are in the wrong order, nearly every chunk shows it. Sixteen are enough for the largest partition: if a
# tenth of the rows is wrong, the chance that one of them is tried is four in five, and the next run tries others.
_CHUNKS_FOR_ONE_MORE = 2000
_MOST_TRIED = 16


def chunks_to_try(sample: Sequence[ChunkText], processed: int) -> list[ChunkText]:
    """Choose chunks for a run that embedded so many: half of them its own, as far as it has any, the others any."""
    size = min(_MOST_TRIED, 1 + processed // _CHUNKS_FOR_ONE_MORE)
    own = [chunk for chunk in sample if chunk.from_run]
    chosen = own[: -(-size // 2)]
    return chosen + [chunk for chunk in sample if chunk not in chosen][: size - len(chosen)]


def embed_again(embedder: Embedder, chunks: Sequence[ChunkText], deadline: EmbedDeadline) -> Vectors:
    """Embed the chunks in as many calls at once as the embedder is good for; one row a chunk, in their order.

    Raises:
        BadVectors: the embedder returned an array of another shape.
        EmbedderHung: it did not answer in time.
    """
    calls, dimension = embedder.concurrency, embedder.space.dimension

    def embed(part: Sequence[ChunkText]) -> Vectors:
        with deadline.embedder_call():
            rows = embedder.embed(embedder.tokenize([chunk.text for chunk in part]))
        if rows.shape != (len(part), dimension):
            raise BadVectors(f"shape {rows.shape} instead of {(len(part), dimension)}")
        return rows

    vectors = np.empty((len(chunks), dimension), np.float32)
    calls_of_chunks = (chunks[first::calls] for first in range(min(calls, len(chunks))))
    with closing(map_in_order(embed, calls_of_chunks, calls, deadline)) as answers:
        for first, rows in enumerate(answers):
            vectors[first::calls] = rows
    return vectors
