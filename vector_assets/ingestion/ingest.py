"""Documents are read from the landing directory, stored, and chunked, one partition at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from uuid import UUID

from ..domain.chunks import DocumentChunk
from ..domain.documents import (
    ChunkChanges,
    Document,
    DocumentRejection,
    DocumentText,
    KnownDocument,
    StoredDocument,
)
from ..domain.partition_keys import PartitionKey
from ..errors import AnotherProgramsDocument, DocumentError, PartitionWouldShrink, SamePathElsewhere
from ..ports import ChunkingStore, DocumentStore
from .chunker import Chunker
from .context import context_of
from .landing_directory import NEVER, LandedDocument, LandingDirectory
from .reader_process import ReaderProcess

# A document with a larger share of Chinese characters is Chinese. English filings quote a few Chinese names, and
# Chinese filings contain figures and Latin terms.
_MIN_CHINESE_SHARE = 0.2
_LANGUAGE_SAMPLE_CHARACTERS = 20_000
# An ordinary correction may halve a document of a few pages, and its vectors are computed again in a second. If a
# partition of this size, about ten pages, loses half of its chunks, files or readers are broken.
_MIN_GUARDED_CHUNKS = 20

OnDocument = Callable[[str], None]
"""Is called with the source_uri of each document before the document is read or chunked."""


@dataclass(frozen=True)
class LandingChanges:
    """Partitions with documents to read or to chunk, and what lies in no partition that has documents.

    Such files make no partition. `manifest_rows` counts all rows of the manifest. `changed_at` says when the newest
    file of each partition changed; `NEVER` where its files are as they were, and only its chunks are missing.
    """

    partitions: tuple[PartitionKey, ...]
    misplaced: tuple[DocumentRejection, ...]
    manifest_rows: int
    changed_at: Mapping[PartitionKey, datetime]


@dataclass(frozen=True)
class DocumentsReport:
    """The result of reading a partition: the documents that were read now, and all that cannot be used, by path.

    `files` counts the partition's files and the rows of the manifest that name one; `warnings` has, by path, what could
    not be read of documents that are stored.
    """

    read: tuple[str, ...]
    unchanged: int
    rejections: tuple[DocumentRejection, ...]
    files: int = 0
    warnings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChunksReport:
    """The result of chunking a partition: which documents were chunked, and what changed."""

    document_ids: tuple[UUID, ...]
    changes: ChunkChanges

    @property
    def documents(self) -> int:
        """How many documents were chunked."""
        return len(self.document_ids)


class Ingestion:
    """Reads new documents of the landing directory, and chunks documents whose text or chunker is new.

    A document that cannot be used is listed with the reason and skipped.

    Args:
        landing: where new documents arrive.
        documents: where they are stored.
        chunks: where their chunks are stored.
        make_chunker: makes the chunker of the database when the first document is chunked. It may take 250 MB and a
            second, which a look at the directory does not need.
        identity: gives the identity of that chunker; None where the database has none yet.
    """

    def __init__(
        self,
        landing: LandingDirectory,
        documents: DocumentStore,
        chunks: ChunkingStore,
        make_chunker: Callable[[], Chunker],
        identity: Callable[[], str | None],
    ) -> None:
        self._landing = landing
        self._documents = documents
        self._chunks = chunks
        self._make_chunker = make_chunker
        self._identity = identity

    @cached_property
    def chunker(self) -> Chunker:
        """The chunker of the database."""
        return self._make_chunker()

    def changes(self, reread: bool = False) -> LandingChanges:
        """Compare the directory with the store, and return what is new, or with `reread` everything.

        Files that lie in no partition, and rows of the manifest without a file, are stored as rejections. Rejections of
        files that are gone are deleted.

        Raises:
            LandingDirectoryMissing, InvalidManifest.
        """
        scan = self._landing.scan()
        found = scan.fingerprints
        if reread:
            self._documents.forget_fingerprints(list(found))
        known = self._documents.known()
        new = {source_uri for source_uri, state in found.items() if _fingerprint(known, source_uri) != state}
        populated = {item.partition for item in scan.documents}
        misplaced = tuple(item for item in scan.rejections if item.partition not in populated)
        self._documents.save([], [item for item in misplaced if item.source_uri in new])
        self._forget_vanished(None, found)
        documents = self._landing.changed_at(item for item in scan.documents if item.source_uri in new)
        rejected = {
            item.partition for item in scan.rejections if item.source_uri in new and item.partition in populated
        }
        # A run may have ended between reading and chunking, or another chunker may be configured now.
        unchunked = set(self._chunks.unchunked_partitions(self._identity() or ""))
        partitions = {partition for partition in (*documents, *rejected, *unchunked) if partition}
        changed_at = {partition: documents.get(partition, NEVER) for partition in sorted(partitions)}
        return LandingChanges(tuple(changed_at), misplaced, scan.manifest_rows, changed_at)

    def read_documents(self, partition: PartitionKey, on_document: OnDocument = lambda _: None) -> DocumentsReport:
        """Read and store the new and changed documents of a partition. A document whose file is gone stays stored.

        Raises:
            LandingDirectoryMissing, InvalidManifest.
            ReaderNotStarted: the process that reads documents cannot be started.
        """
        scan = self._landing.scan(partition)
        known = self._documents.known(partition)
        new = [landed for landed in scan.documents if _fingerprint(known, landed.source_uri) != landed.fingerprint]
        read = []
        with ReaderProcess() as reader:
            for landed in new:
                on_document(landed.source_uri)
                if self._read_document(landed, reader, known.get(landed.source_uri)):
                    read.append(landed.source_uri)
        self._documents.save([], scan.rejections)
        self._forget_vanished(partition, scan.fingerprints)
        rejections = tuple(self._documents.rejections(partition))
        warnings = {name: item.warning for name, item in self._documents.known(partition).items() if item.warning}
        files = len(scan.documents) + len(scan.rejections)
        return DocumentsReport(tuple(read), len(scan.documents) - len(new), rejections, files, warnings)

    def _read_document(self, landed: LandedDocument, reader: ReaderProcess, former: KnownDocument | None) -> bool:
        """Store the document, or the reason why it cannot be used. Return whether it was stored."""
        try:
            data = self._landing.read(landed)
            self._refuse_another_document(landed, data, former)
            found = reader.read(data, landed.path.suffix, landed.source_uri)
            self._documents.save([_document(landed, found, self._landing.name)], [])
        except DocumentError as error:
            reason = (type(error).__name__, str(error), landed.fingerprint)
            self._documents.save([], [DocumentRejection(landed.source_uri, landed.partition, *reason)])
            return False
        return True

    def _refuse_another_document(self, landed: LandedDocument, data: bytes, former: KnownDocument | None) -> None:
        """Refuse to replace the document of another program, or of another landing directory that still holds it.

        A directory that was moved holds nothing any more, and a copy of it holds the same.
        """
        if former is None:
            return
        if not former.fingerprint:
            raise AnotherProgramsDocument(landed.source_uri)
        if former.landing_root not in {"", self._landing.name}:
            other = LandingDirectory(Path(former.landing_root))
            if other.holds_another(landed.source_uri, data):
                raise SamePathElsewhere(landed.source_uri, former.landing_root)

    def chunk_documents(
        self, partition: PartitionKey, on_document: OnDocument = lambda _: None, allow_shrink: bool = False
    ) -> ChunksReport:
        """Chunk each document of the partition whose text or chunker is new.

        `allow_shrink` lets the partition lose more than half of its chunks.

        Raises:
            PartitionWouldShrink: the partition would lose more than half of its chunks, which `allow_shrink` does not
                allow; nothing was deleted.
        """
        if not allow_shrink:
            self._refuse_to_shrink(partition, on_document)
        documents, changes = [], ChunkChanges()
        for document in self._chunks.unchunked_documents(partition, self.chunker.identity):
            on_document(document.source_uri)
            changes += self._chunks.replace_chunks(document, self._split(document), self.chunker.identity)
            documents.append(document.id)
        return ChunksReport(tuple(documents), changes)

    def _refuse_to_shrink(self, partition: PartitionKey, on_document: OnDocument) -> None:
        """Count the chunks that would remain, before anything is deleted.

        Numbers of chunks are compared, not texts, because a new chunker replaces every chunk without a loss. Chunks of
        documents that have none yet do not make up for chunks that other documents lose.

        So that one document at a time is in memory, the documents that are split here are split again afterwards. Few
        are: only if more than half of the chunks are at stake, and only until half of them are known to remain.
        """
        to_replace = self._chunks.chunks_to_replace(partition, self.chunker.identity)
        remaining = to_replace.partition - sum(to_replace.documents.values())
        if to_replace.partition < _MIN_GUARDED_CHUNKS or 2 * remaining >= to_replace.partition:
            return
        for document in self._chunks.unchunked_documents(partition, self.chunker.identity):
            if document.id in to_replace.documents:
                on_document(document.source_uri)
                remaining += len(self._split(document))
            if 2 * remaining >= to_replace.partition:
                return
        raise PartitionWouldShrink(str(partition), to_replace.partition, remaining)

    def _split(self, document: StoredDocument) -> list[DocumentChunk]:
        return self.chunker.split(document.text, context_of(document), document.source_uri.lower().endswith(".pdf"))

    def _forget_vanished(self, partition: PartitionKey | None, found: dict[str, str]) -> None:
        """Delete the rejections of files that no longer exist."""
        listed = [item.source_uri for item in self._documents.rejections(partition)]
        gone = [source_uri for source_uri in listed if source_uri not in found]
        if gone:
            self._documents.forget_rejections(gone)


def _fingerprint(known: Mapping[str, KnownDocument], source_uri: str) -> str | None:
    return known[source_uri].fingerprint if source_uri in known else None


def _document(landed: LandedDocument, found: DocumentText, landing_root: str) -> Document:
    row = landed.row
    return Document(
        source_uri=landed.source_uri,
        partition=landed.partition,
        company_name=row.company_name if row else "",
        title=(row.title if row else "") or PurePosixPath(landed.source_uri).stem,
        period=row.period if row else "",
        language=(row.language if row else "") or language_of(found.text),
        text=found.text,
        fingerprint=landed.fingerprint,
        warning=found.warning,
        landing_root=landing_root,
    )


def language_of(text: str) -> str:
    """Return `zh` or `en`, by the share of Chinese characters among the letters."""
    letters = [character for character in text[:_LANGUAGE_SAMPLE_CHARACTERS] if character.isalpha()]
    chinese = sum("\u3400" <= character <= "\u9fff" for character in letters)
    return "zh" if chinese > _MIN_CHINESE_SHARE * len(letters) else "en"
