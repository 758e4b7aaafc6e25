"""Chunks, the selection of chunks that a run embeds, and the tokens that the model sees of them."""

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from .partition_keys import PartitionKey

BEFORE_ALL_CHUNKS = UUID(int=0)
"""Less than the id of any chunk."""


def text_hash(text: str) -> bytes:
    """Return the sha256 of the UTF-8 text, 32 bytes. The database's trigger computes the same hash of a text."""
    return hashlib.sha256(text.encode("utf-8")).digest()


@dataclass(frozen=True)
class Chunk:
    """A piece of a document's text, the unit that gets a vector. `content_hash` is `text_hash(text)`."""

    id: UUID
    partition: PartitionKey
    document: str
    chunk_index: int
    text: str
    content_hash: bytes


@dataclass(frozen=True)
class DocumentChunk:
    """A chunk as chunking makes it: `text` ends with the document's text from `char_from` to `char_to`.

    A line of context may precede this slice. Pages are counted from 1; None: the document has no pages.
    """

    text: str
    char_from: int
    char_to: int
    page_from: int | None = None
    page_to: int | None = None


@dataclass(frozen=True)
class ChunkSelection:
    """The pending chunks that a run selects: those of a partition, or those of the given ids (sorted, no repeats)."""

    partition: PartitionKey | None = None
    chunk_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class ChunkWindow:
    """Some chunks of a selection in the order of their ids, and the id to resume after (None: there are no more)."""

    chunks: list[Chunk]
    resume_after: UUID | None


@dataclass(frozen=True)
class TokenizedText:
    """A text as the model will see it.

    `token_count` counts the tokens of the text, special tokens and prompt included. `tokens_embedded` counts the tokens
    that remain when the text is truncated at the model's limit, and `unknown_tokens` those of them that the model's
    vocabulary does not hold. `ids` are the remaining tokens as int32, so that an embedder need not tokenize again.
    """

    text: str
    token_count: int
    tokens_embedded: int
    unknown_tokens: int
    ids: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32), compare=False, repr=False)
