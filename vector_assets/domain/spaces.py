"""Embedding spaces and their vectors."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from .wording import readable_coverage

Vectors = NDArray[np.float32]
"""Shape (n, dimension), one row a text, in the order of the texts."""


@dataclass(frozen=True)
class EmbeddingSpace:
    """The recipe of vectors: they compare only inside one space. The slug names the space's table.

    The slug is made of everything that tells the space from others. `generation` counts the spaces that one model has
    had: when its vectors have drifted, because of other weights or another library, and somebody adds it again, the
    model gets the next generation. `source` is what finds the model: a name or the path of a folder.
    `provider` serves the model over HTTP, and `request` is what it is asked beside the text, as JSON; both are empty
    where the model runs here.
    """

    model: str
    revision: str
    pooling: str
    document_prompt: str
    query_prompt: str
    dimension: int
    max_tokens: int
    weights_digest: str
    generation: int = 0
    source: str = field(default="", compare=False)
    provider: str = ""
    request: str = ""

    @property
    def slug(self) -> str:
        """Name the space in at most 40 characters of [a-z0-9_], e.g. `all_minilm_l6_v2_384_1f0c9ab2`."""
        identity: tuple[object, ...] = (
            self.model,
            self.revision,
            self.pooling,
            self.document_prompt,
            self.query_prompt,
            self.dimension,
        )
        if self.provider:
            identity += (self.provider, self.request)
        if self.generation:
            identity += (self.generation,)
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:8]
        name = unicodedata.normalize("NFKD", self.model.rsplit("/", 1)[-1]).lower()
        readable = re.sub(r"[^a-z0-9]+", "_", name).strip("_")[:24] or "model"
        return f"{readable}_{self.dimension}_{digest}"


class SpaceStatus(StrEnum):
    """What a space is for. The filling and the serving space are live: every new or changed chunk is queued in them."""

    FILLING = "filling"
    SERVING = "serving"
    RETIRED = "retired"


LIVE = frozenset({SpaceStatus.FILLING, SpaceStatus.SERVING})
"""The statuses of spaces that are kept up to date."""


@dataclass(frozen=True)
class RegisteredSpace:
    """A space of the database. `served_until` is when it last gave way to another one; None: it never did."""

    status: SpaceStatus
    created_at: datetime
    served_until: datetime | None
    space: EmbeddingSpace


@dataclass(frozen=True)
class SpaceOverview:
    """A space with its counts of chunks, and the size of its table with all indexes. A retired space has no queue."""

    registered: RegisteredSpace
    chunks: int
    pending: int
    quarantined: int
    table_bytes: int

    @property
    def is_live(self) -> bool:
        """Whether the space is kept up to date."""
        return self.registered.status in LIVE

    @property
    def coverage(self) -> float | None:
        """Chunks with a current vector / chunks, 1 where there are none; None: the space is retired."""
        if not self.is_live:
            return None
        return self.current / self.chunks if self.chunks else 1.0

    @property
    def current(self) -> int:
        """Chunks with a current vector, where the space is live."""
        return self.chunks - self.pending - self.quarantined

    @property
    def coverage_percent(self) -> str:
        """The coverage rounded down; empty where the space is retired."""
        return readable_coverage(self.current, self.chunks) if self.is_live else ""


@dataclass(frozen=True)
class StoredReferenceVectors:
    """The stored vectors of the reference texts, float32 (texts, dimension), and what computed them."""

    vectors: Vectors
    device: str
