"""Documents and their chunks in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from vector_assets.domain.chunks import DocumentChunk
from vector_assets.domain.documents import (
    ChunkChanges,
    ChunksToReplace,
    Document,
    DocumentRejection,
    KnownDocument,
    StoredDocument,
)
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import AnotherProgramsDocument
from vector_assets.storage.documents import ExistingChunk, match_chunks, position_of

from .database import DocumentRow, MemoryDatabase


class MemoryDocumentStore:
    """The `DocumentStore` port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def known(self, partition: PartitionKey | None = None) -> dict[str, KnownDocument]:
        """A rejection is newer than the document it is about."""
        with self._database.lock:
            documents = [row.document for row in self._database.documents.values()]
            known = {
                item.source_uri: KnownDocument(item.fingerprint, item.landing_root, item.warning)
                for item in documents
                if partition in {None, item.partition}
            }
            for item in self.rejections(partition):
                former = known.get(item.source_uri, KnownDocument(""))
                known[item.source_uri] = replace(former, fingerprint=item.fingerprint)
            return known

    def save(self, documents: Iterable[Document], rejections: Iterable[DocumentRejection]) -> None:
        """A document that is rejected now keeps the text it had before."""
        with self._database.lock:
            documents = list(documents)
            stored = {row.document.source_uri: row.document for row in self._database.documents.values()}
            for document in documents:
                if document.source_uri in stored and not stored[document.source_uri].fingerprint:
                    raise AnotherProgramsDocument(document.source_uri)
            for document in documents:
                self._database.save_document(document)
                self._database.rejections.pop(document.source_uri, None)
            self._database.rejections |= {rejection.source_uri: rejection for rejection in rejections}

    def rejections(self, partition: PartitionKey | None = None) -> list[DocumentRejection]:
        """By path."""
        with self._database.lock:
            found = sorted(self._database.rejections.values(), key=lambda item: item.source_uri)
        return [item for item in found if partition in {None, item.partition}]

    def forget_rejections(self, source_uris: Sequence[str]) -> None:
        """Paths that are not listed are passed over."""
        with self._database.lock:
            for source_uri in source_uris:
                self._database.rejections.pop(source_uri, None)

    def forget_fingerprints(self, source_uris: Sequence[str]) -> None:
        """Another program's document stays without one."""
        with self._database.lock:
            for row in self._database.documents.values():
                if row.document.source_uri in source_uris and row.document.fingerprint:
                    row.document = replace(row.document, fingerprint="to be read again")
            self.forget_rejections(source_uris)


class MemoryChunkingStore:
    """The `ChunkingStore` port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def unchunked_partitions(self, chunker: str) -> list[PartitionKey]:
        """Each once."""
        with self._database.lock:
            return list({row.document.partition: None for row in self._unchunked(chunker)})

    def chunks_to_replace(self, partition: PartitionKey, chunker: str) -> ChunksToReplace:
        """Documents without chunks are left out."""
        with self._database.lock:
            total = sum(chunk.partition == partition for chunk in self._database.chunks.values())
            ids = [row.id for row in self._unchunked(chunker) if row.document.partition == partition]
            counted = {id_: len(self._database.chunks_of(id_)) for id_ in ids}
        return ChunksToReplace(total, {id_: chunks for id_, chunks in counted.items() if chunks})

    def unchunked_documents(self, partition: PartitionKey, chunker: str) -> Iterator[StoredDocument]:
        """One that is deleted meanwhile is left out."""
        with self._database.lock:
            found = [row for row in self._unchunked(chunker) if row.document.partition == partition]
        for row in sorted(found, key=lambda row: row.document.source_uri):
            if row.id in self._database.documents:
                yield _stored(row)

    def replace_chunks(self, document: StoredDocument, chunks: Sequence[DocumentChunk], chunker: str) -> ChunkChanges:
        """Unchanged chunks keep their ids."""
        with self._database.lock:
            row = self._database.documents.get(document.id)
            if row is None or _stored(row) != document:
                return ChunkChanges()
            stored = self._database.chunks_of(document.id)
            match = match_chunks([ExistingChunk(item.id, item.content_hash, item.position) for item in stored], chunks)
            self._database.delete_chunks(match.removed)
            for id_, index in match.kept.items():
                self._database.chunks[id_].position = position_of(index, chunks[index])
            for index in match.added:
                self._database.insert_chunk(document.id, index, chunks[index])
            row.chunked_by = chunker
        return ChunkChanges(len(match.kept), len(match.added), len(match.removed))

    def _unchunked(self, chunker: str) -> list[DocumentRow]:
        rows = self._database.documents.values()
        return [row for row in rows if row.chunked_by != chunker and row.document.fingerprint]


def _stored(row: DocumentRow) -> StoredDocument:
    document = row.document
    names = document.company_name, document.title, document.period
    return StoredDocument(row.id, document.source_uri, document.partition, *names, document.text)
