"""What the loop and the ingestion need: protocols of a few methods. A good first file to read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from .domain.batches import ChunkFailure, EmbeddedChunk
from .domain.chunks import ChunkSelection, ChunkWindow, DocumentChunk, TokenizedText
from .domain.coverage import PartitionStatus
from .domain.documents import ChunkChanges, ChunksToReplace, Document, DocumentRejection, KnownDocument, StoredDocument
from .domain.embedder_wait import EmbedderWait
from .domain.partition_keys import PartitionKey
from .domain.progress import BatchProgress
from .domain.quarantine import FailedChunk
from .domain.reports import VectorizeReport
from .domain.spaces import EmbeddingSpace, SpaceOverview, StoredReferenceVectors, Vectors
from .errors import VectorAssetsError
from .quality.neighbor_overlap import PairedVectors
from .quality.partition_facts import ChunkText, NearestChunk, PartitionVectorFacts


class Embedder(Protocol):
    """Turns texts into vectors of one space. Text reaches the model unaltered.

    Any method may raise `EmbedderBusy`, with when to come back, where the same call may succeed later: then no text is
    at fault, and a run waits. Other errors are taken for those of a text, until it fails alone.
    """

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

    @property
    def tokens_used(self) -> int | None:
        """How many tokens a server has counted so far, over all calls; None: no server is asked."""
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


class RateLimits(Protocol):
    """The limits of requests and tokens per minute of one provider, shared by all that call it."""

    def reserve(self, tokens: int, longest_wait: float) -> float:
        """Reserve a request of so many tokens, and say in how many seconds its turn is.

        A turn beyond the longest wait is not reserved.
        """
        ...

    def correct(self, tokens: int) -> None:
        """Note that requests had so many tokens more, or fewer, than were reserved."""
        ...

    def pause(self, seconds: float) -> None:
        """Let nobody's turn come before that: the provider asked for it."""
        ...


class AnswerJournal(Protocol):
    """What a server has answered to a run and is not committed yet: after a kill the next run need not ask again."""

    def take(self, hashes: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        """Give the vectors that killed runs have left of texts with these hashes."""
        ...

    def keep(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Keep vectors of texts, by their hashes, until the run has ended."""
        ...

    def close(self, forget: bool) -> None:
        """End the run. Forget what was kept, because it is committed or wrong; else leave it to the next run."""
        ...


class SpentTokens(Protocol):
    """Where the tokens of all runs are added up, under the names of limits."""

    def charge(self, name: str, tokens: int, limit: int | None) -> bool:
        """Add tokens to those under a name, unless they exceed the limit then; return whether they were added."""
        ...


class ChunkStore(Protocol):
    """Where the loop reads its chunks. No method leaves a transaction open."""

    def count_pending(self, selection: ChunkSelection) -> int:
        """Count the chunks of the selection that are due: pending, and not waiting for a second attempt."""
        ...

    def queue_again(self, selection: ChunkSelection, run_id: str, limit: int | None) -> None:
        """Make current and quarantined chunks of the selection pending and due, except those that the run has tried.

        With a limit, only as many as the run has still to try, those with the oldest vectors first.
        """
        ...

    def read_window(self, selection: ChunkSelection, after_id: UUID, limit: int) -> ChunkWindow:
        """Read at most `limit` chunks of the selection with greater ids, by id, and no more text than memory holds."""
        ...


class ServingSpace(Protocol):
    """Says which space is searched."""

    def serving(self) -> EmbeddingSpace | None:
        """Read the space that serves now; None: none does yet."""
        ...


class SpaceStore(Protocol):
    """Lists the spaces, and changes which one serves."""

    def overviews(self) -> list[SpaceOverview]:
        """List the spaces with what they hold, the oldest first."""
        ...

    def promote(self, slug: str) -> None:
        """Let a filling space serve, and the serving one be filled."""
        ...


class SpacePairs(Protocol):
    """Where two spaces are compared by the vectors that they have of the same texts."""

    def sample(self, one: str, other: str, limit: int) -> PairedVectors:
        """Draw chunks of both spaces, the same ones each time, with their texts."""
        ...

    def windows(self, one: str, other: str) -> Iterator[PairedVectors]:
        """Read all chunks of both spaces."""
        ...


class VectorStore(Protocol):
    """Where the vectors of one space are stored."""

    def commit_batch(
        self, embedded: Sequence[EmbeddedChunk], failures: Sequence[ChunkFailure], run_id: str
    ) -> set[UUID]:
        """Store, in one transaction, each vector whose chunk still has the text that was embedded.

        Returns the ids stored; the other chunks were superseded. A failure is stored under the same condition: the
        first one of a chunk lets it wait for its second attempt, the next one quarantines it.

        Raises:
            LeaseLost: the store commits under a lease that does not hold any more; nothing was stored.
        """
        ...

    def vectors_of_texts(self, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Read the vectors that the space has of texts with these hashes, whichever chunks they belong to."""
        ...

    def discard(self, selection: ChunkSelection, run_id: str) -> int:
        """Delete what the run stored for the selection, so that those chunks are pending again; count them."""
        ...


class Leases(Protocol):
    """Which run may commit to a partition in a space. A lease is known by its token, which is never given out again."""

    def take(self, partition: PartitionKey, space_slug: str, run_id: str, period: timedelta) -> int:
        """Take the partition's lease from whichever run has it, for a period; return the token."""
        ...

    def renew(self, token: int, period: timedelta) -> bool:
        """Let the lease expire so much later than now; False: another run has taken it, or it was given back."""
        ...

    def is_held(self, token: int) -> bool:
        """Say whether the lease still holds; one that has expired does until another run takes it."""
        ...

    def release(self, token: int) -> None:
        """Give the lease back, if it still holds."""
        ...

    def has_expired(self, partition: PartitionKey, space_slug: str) -> bool:
        """Say whether a run holds the partition's lease and has not renewed it in time."""
        ...


class ReferenceVectorStore(Protocol):
    """Where the vectors of the reference texts are stored; `texts` names the set of texts."""

    def kept(self, space_slug: str, texts: str, dimension: int) -> StoredReferenceVectors | None:
        """Read the vectors that the space has of the texts; None: none yet."""
        ...

    def keep(self, space_slug: str, texts: str, vectors: Vectors, device: str) -> None:
        """Store the vectors, unless there are some already. `device` says what computed them."""
        ...


class VectorFactStore(Protocol):
    """Where the audit reads the facts about a partition's vectors."""

    def of_vectors(
        self, partition: PartitionKey, space_slug: str, run_id: str, moment: str, norm_tolerance: float
    ) -> PartitionVectorFacts:
        """Count the partition, and read the run's vectors and a sample, after a run that began at the moment."""
        ...

    def nearest(
        self, partition: PartitionKey, space_slug: str, run_id: str, chunk_ids: Sequence[UUID], vectors: Vectors
    ) -> list[NearestChunk]:
        """Search a sample exactly, with one vector for each chunk; chunks without a current one are left out."""
        ...

    def named(self, chunk_ids: Sequence[UUID]) -> dict[UUID, ChunkText]:
        """Read the chunks with these ids, as far as they exist."""
        ...


class ChunkTextStore(Protocol):
    """Where the audit reads the texts of a partition."""

    def count(self, partition: PartitionKey) -> int:
        """Count the partition's chunks."""
        ...

    def texts(self, partition: PartitionKey, changed: Sequence[UUID], seed: str) -> Iterator[ChunkText]:
        """Read a small partition whole, of a larger one the changed documents and others that the seed draws."""
        ...


class QuarantineList(Protocol):
    """Where the chunks that failed are listed, quarantined or not."""

    def chunks(
        self, space_slug: str, partitions: Sequence[PartitionKey], limit: int | None = None
    ) -> list[FailedChunk]:
        """List the failed chunks of the partitions, the quarantined ones first, at most `limit` (None: all)."""
        ...


class DocumentStore(Protocol):
    """Where the documents of the landing directory are stored."""

    def known(self, partition: PartitionKey | None = None) -> dict[str, KnownDocument]:
        """Map source_uri to each document stored or rejected, in one partition or in all (None)."""
        ...

    def save(self, documents: Iterable[Document], rejections: Iterable[DocumentRejection]) -> None:
        """Insert or update documents and remember rejected ones, in one transaction.

        Raises:
            AnotherProgramsDocument: another program has a document of this source_uri; nothing was saved.
        """
        ...

    def rejections(self, partition: PartitionKey | None = None) -> list[DocumentRejection]:
        """List the documents that could not be used, by path, in one partition or in all (None)."""
        ...

    def forget_rejections(self, source_uris: Sequence[str]) -> None:
        """Delete the rejections of documents that no longer exist."""
        ...

    def forget_fingerprints(self, source_uris: Sequence[str]) -> None:
        """Let the files of these documents be read again, though they have not changed."""
        ...


class ChunkingStore(Protocol):
    """Where documents become chunks. `chunker` names how they are chunked, so that nothing is chunked twice alike.

    Documents that another program wrote are chunked by that program.
    """

    def unchunked_partitions(self, chunker: str) -> list[PartitionKey]:
        """List the partitions with documents whose present text this chunker has not chunked."""
        ...

    def chunks_to_replace(self, partition: PartitionKey, chunker: str) -> ChunksToReplace:
        """Count the partition's chunks, and those of the documents that `unchunked_documents` yields."""
        ...

    def unchunked_documents(self, partition: PartitionKey, chunker: str) -> Iterable[StoredDocument]:
        """Yield the documents whose present text this chunker has not chunked, by source_uri, one at a time."""
        ...

    def replace_chunks(self, document: StoredDocument, chunks: Sequence[DocumentChunk], chunker: str) -> ChunkChanges:
        """Make these the document's chunks, keeping the ids of those whose text is unchanged, in one transaction.

        Nothing is changed if the stored document is no longer the same as `document`.
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

    def wait(self, partition: PartitionKey, wait: EmbedderWait) -> None:
        """The run waits for an embedder that is busy; may be called in any thread."""
        ...


class RunListener(ProgressListener, Protocol):
    """Sees also how the runs end."""

    def report(self, report: VectorizeReport, status: PartitionStatus) -> None:
        """A partition's chunks were embedded; the status is that of the partition afterwards."""
        ...

    def failure(self, partition: PartitionKey, error: VectorAssetsError) -> None:
        """An attempt to materialize a partition failed."""
        ...
