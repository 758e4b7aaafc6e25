"""Chunks: which ones a run is about, and what the model sees of them."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .partition_keys import PartitionKey


def text_hash(text: str) -> bytes:
    """sha256 of the UTF-8 text, 32 bytes: what the database's trigger computes for the same text."""
    return hashlib.sha256(text.encode("utf-8")).digest()


@dataclass(frozen=True)
class Chunk:
    """A piece of a document's text, the unit that gets a vector. `content_hash` is `text_hash(text)`."""

    id: int
    partition: PartitionKey
    document: str
    chunk_index: int
    text: str
    content_hash: bytes


@dataclass(frozen=True)
class ChunkSelection:
    """Which chunks a run is about: a partition's, or those with the given ids (sorted, without repeats).

    `include_current` takes those that have a current vector or are quarantined too.
    """

    partition: PartitionKey | None = None
    chunk_ids: tuple[int, ...] = ()
    include_current: bool = False


@dataclass(frozen=True)
class ChunkPlan:
    """What a selection holds before the run starts: chunks, and the greatest id."""

    chunks: int
    last_id: int


@dataclass(frozen=True)
class ChunkWindow:
    """Some chunks of a selection in the order of their ids, and where to go on (None: that was all)."""

    chunks: list[Chunk]
    resume_after: int | None


@dataclass(frozen=True)
class TokenizedText:
    """A text as the model will see it.

    `token_count` is what the text has (special tokens and prompt included), `tokens_embedded` what is left after
    the model's limit, `unknown_tokens` how many of those the model's vocabulary does not hold. `ids` are those that
    are left, int32, for embedders that need not tokenize again.
    """

    text: str
    token_count: int
    tokens_embedded: int
    unknown_tokens: int
    ids: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32), compare=False, repr=False)
