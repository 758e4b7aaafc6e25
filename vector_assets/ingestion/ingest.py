"""Landing directory -> documents -> chunks, one partition at a time. A bad document is listed and skipped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..domain.documents import ChunkChanges, Document, DocumentRejection
from ..domain.partition_keys import PartitionKey
from ..errors import DocumentError, PartitionWouldShrink
from ..ports import ChunkingStore, DocumentStore
from .chunker import Chunker
from .landing_directory import LandedDocument, LandingDirectory
from .reader_process import ReaderApart

# From here on a document counts as Chinese: English filings quote names, Chinese ones figures and Latin terms.
_CHINESE_SHARE = 0.2
_LANGUAGE_SAMPLE = 20_000
# An ordinary correction may halve a few pages, and their vectors are made anew in a second; from here on, about ten
# pages, a loss by half means that files or readers broke.
_GUARDED_FROM = 20

Told = Callable[[str], None]
"""Gets the name of the document whose turn it is."""


@dataclass(frozen=True)
class LandingChanges:
    """What is to be done: partitions with something to read or to cut, and files that lie in none."""

    partitions: tuple[PartitionKey, ...]
    misplaced: tuple[DocumentRejection, ...]


@dataclass(frozen=True)
class DocumentsReport:
    """What reading a partition's folder did: documents by path that were read now, and all that cannot be used."""

    read: tuple[str, ...]
    unchanged: int
    rejections: tuple[DocumentRejection, ...]


@dataclass(frozen=True)
class ChunksReport:
    """What cutting a partition's documents did."""

    documents: int
    changes: ChunkChanges


class Ingestion:
    """Reads what is new in the landing directory and cuts what has not been cut."""

    def __init__(
        self, landing: LandingDirectory, documents: DocumentStore, chunks: ChunkingStore, chunker: Chunker
    ) -> None:
        self._landing = landing
        self._documents = documents
        self._chunks = chunks
        self.chunker = chunker

    def changes(self) -> LandingChanges:
        """Compare the directory with the store; remember files that lie in no partition, forget those that are gone.

        Raises:
            LandingDirectoryMissing, InvalidManifest.
        """
        scan = self._landing.scan()
        known = self._documents.known_fingerprints()
        found = scan.fingerprints
        new = {source_uri for source_uri, fingerprint in found.items() if known.get(source_uri) != fingerprint}
        misplaced = tuple(item for item in scan.rejections if item.partition is None)
        self._documents.save([], [item for item in misplaced if item.source_uri in new])
        self._forget_gone(None, found)
        documents = {item.partition for item in scan.documents if item.source_uri in new}
        rejected = {item.partition for item in scan.rejections if item.partition and item.source_uri in new}
        # Cutting may have been interrupted after reading, or another chunker may have been set since.
        unchunked = set(self._chunks.unchunked_partitions(self.chunker.identity))
        return LandingChanges(tuple(sorted(documents | rejected | unchunked)), misplaced)

    def read_documents(self, partition: PartitionKey, told: Told = lambda _: None) -> DocumentsReport:
        """Read and store the partition's new and changed documents; one that was removed stays stored.

        Raises:
            LandingDirectoryMissing, InvalidManifest.
            ReaderNotStarted: this machine cannot start a process.
        """
        scan = self._landing.scan(partition)
        known = self._documents.known_fingerprints(partition)
        new = [landed for landed in scan.documents if known.get(landed.source_uri) != landed.fingerprint]
        read = []
        with ReaderApart() as reader:
            for landed in new:
                told(landed.source_uri)
                if self._read_document(landed, reader):
                    read.append(landed.source_uri)
        self._documents.save([], scan.rejections)
        self._forget_gone(partition, scan.fingerprints)
        rejections = tuple(self._documents.rejections(partition))
        return DocumentsReport(tuple(read), len(scan.documents) - len(new), rejections)

    def _read_document(self, landed: LandedDocument, reader: ReaderApart) -> bool:
        """Store the document, or why it cannot be used."""
        try:
            text = reader.read(self._landing.read(landed), landed.path.suffix, landed.source_uri)
        except DocumentError as error:
            why = (type(error).__name__, str(error), landed.fingerprint)
            self._documents.save([], [DocumentRejection(landed.source_uri, landed.partition, *why)])
            return False
        self._documents.save([_document(landed, text)], [])
        return True

    def chunk_documents(
        self, partition: PartitionKey, told: Told = lambda _: None, allow_shrink: bool = False
    ) -> ChunksReport:
        """Cut each document of the partition whose text, or whose chunker, is new.

        `allow_shrink` lets the partition lose more than half of its chunks.

        Raises:
            PartitionWouldShrink: more than half of the partition's chunks would go; none has gone.
        """
        if not allow_shrink:
            self._refuse_to_shrink(partition, told)
        documents, changes = 0, ChunkChanges()
        for document in self._chunks.unchunked_documents(partition, self.chunker.identity):
            told(document.source_uri)
            texts = self.chunker.split(document.text)
            changes += self._chunks.replace_chunks(document, texts, self.chunker.identity)
            documents += 1
        return ChunksReport(documents, changes)

    def _refuse_to_shrink(self, partition: PartitionKey, told: Told) -> None:
        """Count what cutting would leave, before anything is deleted.

        Numbers are compared, not texts: a new chunker replaces every chunk and takes nothing away. Documents that have
        no chunks yet do not make up for those that lose theirs. To keep one document in memory at a time what is cut
        here is cut again; it is little, for only where more than half is at stake, and until half is known to stay.
        """
        to_replace = self._chunks.chunks_to_replace(partition, self.chunker.identity)
        stays = to_replace.partition - sum(to_replace.documents.values())
        if to_replace.partition < _GUARDED_FROM or 2 * stays >= to_replace.partition:
            return
        for document in self._chunks.unchunked_documents(partition, self.chunker.identity):
            if document.id in to_replace.documents:
                told(document.source_uri)
                stays += len(self.chunker.split(document.text))
            if 2 * stays >= to_replace.partition:
                return
        raise PartitionWouldShrink(str(partition), to_replace.partition, stays)

    def _forget_gone(self, partition: PartitionKey | None, found: dict[str, str]) -> None:
        listed = [item.source_uri for item in self._documents.rejections(partition)]
        gone = [source_uri for source_uri in listed if source_uri not in found]
        if gone:
            self._documents.forget_rejections(gone)


def _document(landed: LandedDocument, text: str) -> Document:
    row = landed.row
    return Document(
        source_uri=landed.source_uri,
        partition=landed.partition,
        company_name=row.company_name if row else "",
        title=(row.title if row else "") or PurePosixPath(landed.source_uri).stem,
        period=row.period if row else "",
        language=(row.language if row else "") or language_of(text),
        text=text,
        fingerprint=landed.fingerprint,
    )


def language_of(text: str) -> str:
    """`zh` or `en`, by the share of Chinese characters among the letters."""
    letters = [character for character in text[:_LANGUAGE_SAMPLE] if character.isalpha()]
    chinese = sum("\u3400" <= character <= "\u9fff" for character in letters)
    return "zh" if chinese > _CHINESE_SHARE * len(letters) else "en"
