"""The verbs: what the loop, the search and the ingestion need of the world. The best first read."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .domain.batches import ChunkFailure, EmbeddedChunk
from .domain.chunks import ChunkPlan, ChunkSelection, ChunkWindow, TokenizedText
from .domain.documents import ChunkChanges, ChunksToReplace, Document, DocumentRejection, StoredDocument
from .domain.partition_keys import PartitionKey
from .domain.progress import BatchProgress
from .domain.search import SearchFilter, SearchHit
from .domain.spaces import EmbeddingSpace, StoredReferenceVectors, Vectors
from .errors import VectorAssetsError


class Embedder(Protocol):
    """Turns texts into vectors of one space. Text reaches the model unaltered."""

    @property
    def space(self) -> EmbeddingSpace:
        """The space its vectors live in."""
        ...

    @property
    def device(self) -> str:
        """What computes, in which numbers, e.g. `torch on cuda, float16`; loads what `load` loads."""
        ...

    @property
    def concurrency(self) -> int:
        """How many calls of `embed` are worth making at once, at least 1; loads what `load` loads."""
        ...

    def load(self) -> None:
        """Get ready for the first text; may take seconds, and is cheap when it has happened."""
        ...

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count what the model will see of each document text, in order. Cheap beside `embed`."""
        ...

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        """Embed document texts: float32 (n, dimension), rows of length 1, in the order given."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question with the space's query prompt: float32 (dimension,)."""
        ...


class ChunkStore(Protocol):
    """Where the loop reads its chunks. Neither method leaves a transaction open."""

    def plan(self, selection: ChunkSelection) -> ChunkPlan:
        """Count what the selection holds now."""
        ...

    def read_window(self, selection: ChunkSelection, after_id: int, up_to_id: int, limit: int) -> ChunkWindow:
        """Read at most `limit` chunks of the selection with after_id < id <= up_to_id, by id."""
        ...


class VectorStore(Protocol):
    """Where vectors of one space are kept."""

    def commit_batch(
        self, embedded: Sequence[EmbeddedChunk], failures: Sequence[ChunkFailure], run_id: str
    ) -> set[int]:
        """Store, in one transaction, each vector whose chunk still has the text that was embedded.

        Returns the ids stored; the others were superseded. Failures are listed with the same condition.
        """
        ...

    def nearest(self, vector: NDArray[np.float32], where: SearchFilter, limit: int) -> list[SearchHit]:
        """The chunks with the greatest cosine similarity, exact, best first; only current vectors."""
        ...


class ReferenceVectorStore(Protocol):
    """Where the vectors of a few fixed texts are kept; `texts` names the set of them."""

    def kept(self, space_slug: str, texts: str, dimension: int) -> StoredReferenceVectors | None:
        """What the space has of them; None: nothing yet."""
        ...

    def keep(self, space_slug: str, texts: str, vectors: Vectors, device: str) -> None:
        """Keep them, unless there are some already. `device` says what computed them."""
        ...


class DocumentStore(Protocol):
    """Where the documents of the landing directory are kept."""

    def known_fingerprints(self, partition: PartitionKey | None = None) -> dict[str, str]:
        """source_uri -> fingerprint of every document stored or rejected, in one partition or in all (None)."""
        ...

    def save(self, documents: Iterable[Document], rejections: Iterable[DocumentRejection]) -> None:
        """Insert or update documents and remember rejected ones, in one transaction."""
        ...

    def rejections(self, partition: PartitionKey | None = None) -> list[DocumentRejection]:
        """Documents that could not be used, by path, in one partition or in all (None)."""
        ...

    def forget_rejections(self, source_uris: Sequence[str]) -> None:
        """Strike rejected documents that are no longer there off the list."""
        ...


class ChunkingStore(Protocol):
    """Where documents become chunks. `chunker` names what cuts them, so that nothing is cut twice the same way.

    Documents that another program wrote are its own to cut.
    """

    def unchunked_partitions(self, chunker: str) -> list[PartitionKey]:
        """Partitions with documents whose present text this chunker has not cut."""
        ...

    def chunks_to_replace(self, partition: PartitionKey, chunker: str) -> ChunksToReplace:
        """Count the partition's chunks, and those of the documents that `unchunked_documents` gives."""
        ...

    def unchunked_documents(self, partition: PartitionKey, chunker: str) -> Iterable[StoredDocument]:
        """Documents whose present text this chunker has not cut, by source_uri, one at a time in memory."""
        ...

    def replace_chunks(self, document: StoredDocument, texts: Sequence[str], chunker: str) -> ChunkChanges:
        """Make the document's chunks be `texts`, keeping the ids of unchanged ones, in one transaction.

        Nothing is changed if the document's text is no longer `document.text`.
        """
        ...


class ProgressListener(Protocol):
    """Sees the work of a run while it goes on."""

    def document(self, partition: PartitionKey, source_uri: str) -> None:
        """A document is about to be read or chunked."""
        ...

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        """A batch was committed."""
        ...


class RunListener(ProgressListener, Protocol):
    """Sees also what goes wrong."""

    def failure(self, partition: PartitionKey, error: VectorAssetsError) -> None:
        """An attempt to materialize a partition failed."""
        ...
