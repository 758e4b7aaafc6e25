"""The chunks of a batch: embedded, failed, and their outcomes."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from .chunks import Chunk, TokenizedText


class Outcome(StrEnum):
    """The outcome of one chunk in a batch."""

    VECTORIZED = "vectorized"
    SUPERSEDED = "superseded"
    FAILED = "failed"


@dataclass(frozen=True)
class EmbeddedChunk:
    """A chunk with the vector of exactly its text: float32 of shape (dimension,)."""

    chunk: Chunk
    tokens: TokenizedText
    vector: NDArray[np.float32]


@dataclass(frozen=True)
class ChunkFailure:
    """A chunk that failed alone, with the class and the message of its error."""

    chunk: Chunk
    error: str
    message: str


@dataclass(frozen=True)
class BatchChunk:
    """One chunk of a committed batch, as progress reports list it."""

    chunk_id: UUID
    document: str
    chunk_index: int
    token_count: int
    outcome: Outcome
