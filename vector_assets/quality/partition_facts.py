"""What the tables hold of a partition's chunks and vectors: the facts that checks judge."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID


class ChunkText(NamedTuple):
    """A chunk as it is stored, by whichever program. `from_run`: the audited run made its vector."""

    id: UUID
    document: str
    chunk_index: int
    text: str
    from_run: bool = False

    @property
    def name(self) -> str:
        """How tables name it: the document and the chunk's index."""
        return f"{self.document} #{self.chunk_index}"


@dataclass(frozen=True)
class TruncatedChunk:
    """A chunk of which the model read only the beginning, in tokens."""

    document: str
    chunk_index: int
    token_count: int
    tokens_embedded: int

    @property
    def tokens_lost(self) -> int:
        """Tokens beyond the model's limit."""
        return self.token_count - self.tokens_embedded


@dataclass(frozen=True)
class SharedVector:
    """Exactly one vector that `chunks` chunks have, at least two of them with different texts: `first` and `second`."""

    chunks: int
    first: ChunkText
    second: ChunkText


@dataclass(frozen=True)
class PartitionVectorFacts:
    """A partition in one embedding space, counted in chunks at one moment.

    `missed` chunks were pending before the run began, still are, and nobody has changed them since. `failed_once`
    chunks are pending too, and wait for their second attempt. Of `vectors`, those of chunks that are pending again
    included, `tokens`, `tokens_lost` and `truncated_chunks` are the sums.

    The other facts are of the `read` chunks: those that the run embedded and a random sample, which is the whole of a
    small partition. `without_vector` chunks are marked as current but have no vector in the space, `wrong_hash` chunks
    are known by the hash of another text, and `wrong_norm` chunks have a vector whose length is not 1. `most_truncated`
    are those that lost most tokens. `compared` vectors were searched for `shared_vectors`. `sample` are a few chunks.
    """

    chunks: int
    pending: int
    missed: int
    failed_once: int
    quarantined: int
    current: int
    read: int
    without_vector: int
    wrong_hash: int
    wrong_norm: int
    vectors: int
    truncated_chunks: int
    tokens: int
    tokens_lost: int
    most_truncated: tuple[TruncatedChunk, ...]
    compared: int
    shared_vectors: tuple[SharedVector, ...]
    sample: tuple[ChunkText, ...]


@dataclass(frozen=True)
class NearestChunk:
    """The result of searching `compared` vectors of a partition with a chunk's vector made again.

    `own_distance` (1 - cosine) is to the chunk's stored vector, `nearest_distance` to the nearest stored vector, which
    is that of the chunk `nearest_id`. A distance to a zero vector is NaN.
    """

    chunk_id: UUID
    own_distance: float
    nearest_id: UUID
    nearest_distance: float
    compared: int
