"""Documents, and the chunks that are made of their texts."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import LiteralString, NamedTuple
from uuid import UUID

from ..domain.chunks import DocumentChunk, text_hash
from ..domain.documents import ChunkChanges, ChunksToReplace, Document, DocumentRejection, KnownDocument, StoredDocument
from ..domain.partition_keys import PartitionKey
from ..errors import AnotherProgramsDocument
from .database import Connection, Database, repeatable
from .partition_columns import IN_PARTITION, partition_parameters

# Insert a document, or replace all that is known of it, unless it is another program's, which has no fingerprint. A
# trigger computes content_hash, and clears chunked_by when anything has changed that chunks are made of.
_SAVE = """
INSERT INTO documents (market, doc_type, stock_code, company_name, title, period, language,
                       source_uri, fingerprint, warning, landing_root, text, content_hash)
VALUES (%(market)s, %(doc_type)s, %(stock_code)s, %(company_name)s, %(title)s, %(period)s, %(language)s,
        %(source_uri)s, %(fingerprint)s, %(warning)s, %(landing_root)s, %(text)s, '')
ON CONFLICT (source_uri) DO UPDATE SET
    market = excluded.market, doc_type = excluded.doc_type, stock_code = excluded.stock_code,
    company_name = excluded.company_name, title = excluded.title, period = excluded.period,
    language = excluded.language, fingerprint = excluded.fingerprint, warning = excluded.warning,
    landing_root = excluded.landing_root, text = excluded.text, updated_at = now()
WHERE documents.fingerprint <> ''
"""

# Remember a document that could not be used, or why it cannot be used now.
_SAVE_REJECTION = """
INSERT INTO document_rejections (source_uri, partition, error, message, fingerprint)
VALUES (%(source_uri)s, %(partition)s, %(error)s, %(message)s, %(fingerprint)s)
ON CONFLICT (source_uri) DO UPDATE SET
    partition = excluded.partition, error = excluded.error, message = excluded.message,
    fingerprint = excluded.fingerprint, rejected_at = now()
"""
_DELETE_REJECTIONS = "DELETE FROM document_rejections WHERE source_uri = ANY(%(source_uris)s)"

# A document of ingestion that this chunker has not chunked as it is now. Ingestion gives every document a fingerprint;
# one without is another program's, and so are its chunks.
_UNCHUNKED: LiteralString = "chunked_by IS DISTINCT FROM %(chunker)s AND fingerprint <> ''"
_UNCHUNKED_IDS: LiteralString = f"SELECT id FROM documents WHERE {IN_PARTITION} AND {_UNCHUNKED} ORDER BY source_uri"
_UNCHUNKED_PARTITIONS: LiteralString = f"SELECT DISTINCT market, doc_type, stock_code FROM documents WHERE {_UNCHUNKED}"
# How many chunks each unchunked document has now; documents without chunks have no row.
_CHUNKS_OF_UNCHUNKED: LiteralString = f"""
SELECT document_id, count(*) FROM document_chunks
WHERE document_id IN (SELECT id FROM documents WHERE {IN_PARTITION} AND {_UNCHUNKED})
GROUP BY document_id
"""

_COUNT_DOCUMENTS: LiteralString = f"SELECT count(*) FROM documents WHERE {IN_PARTITION}"
_COUNT_CHUNKS: LiteralString = f"SELECT coalesce(sum(chunks), 0)::bigint FROM chunk_counts WHERE {IN_PARTITION}"

# One value that changes when a text of the partition does, and does not depend on the order of the rows.
_CONTENT_DIGEST: LiteralString = f"""
SELECT encode(sha256(coalesce(string_agg(content_hash, ''::bytea ORDER BY content_hash), '')), 'hex')
FROM documents WHERE {IN_PARTITION}
"""

_KNOWN: LiteralString = "SELECT source_uri, fingerprint, landing_root, warning FROM documents"
_KNOWN_IN_PARTITION: LiteralString = f"{_KNOWN} WHERE {IN_PARTITION}"
# No file has this fingerprint.
_FORGET_FINGERPRINTS = """
UPDATE documents SET fingerprint = 'to be read again' WHERE source_uri = ANY(%(source_uris)s) AND fingerprint <> ''
"""
_REJECTIONS: LiteralString = """
SELECT source_uri, partition, error, message, fingerprint FROM document_rejections
WHERE %(partition)s::text IS NULL OR partition = %(partition)s
ORDER BY source_uri
"""

_DOCUMENT: LiteralString = """
SELECT id, source_uri, market, doc_type, stock_code, company_name, title, period, text FROM documents WHERE id = %s
"""
# Until the chunks are replaced, nobody else writes the document.
_LOCK_DOCUMENT: LiteralString = f"{_DOCUMENT} FOR NO KEY UPDATE"
_MARK_CHUNKED = "UPDATE documents SET chunked_by = %s WHERE id = %s"

_STORED_CHUNKS = """
SELECT id, content_hash, chunk_index, char_from, char_to, page_from, page_to
FROM document_chunks WHERE document_id = %s ORDER BY chunk_index
"""
_DELETE_CHUNKS = "DELETE FROM document_chunks WHERE id = ANY(%s)"
# An index may be in use by a chunk that moves later: all that move first get an index that no document reaches.
_MOVE_ASIDE = "UPDATE document_chunks SET chunk_index = chunk_index + 1000000000 WHERE id = ANY(%s)"
_MOVE = """
UPDATE document_chunks SET chunk_index = %s, char_from = %s, char_to = %s, page_from = %s, page_to = %s WHERE id = %s
"""
# A trigger fills in the document's partition and the text's hash. All chunks in one statement are counted once.
_INSERT_CHUNKS = """
INSERT INTO document_chunks (document_id, text, chunk_index, char_from, char_to, page_from, page_to,
                             market, doc_type, stock_code, content_hash)
SELECT %s, text, chunk_index, char_from, char_to, page_from, page_to, '', '', '', ''
FROM unnest(%s::text[], %s::integer[], %s::integer[], %s::integer[], %s::integer[], %s::integer[])
    WITH ORDINALITY AS added (text, chunk_index, char_from, char_to, page_from, page_to, position)
ORDER BY position
"""


_UNKNOWN = KnownDocument("")


class ChunkPosition(NamedTuple):
    """The place of a chunk in its document."""

    chunk_index: int
    char_from: int | None
    char_to: int | None
    page_from: int | None
    page_to: int | None


def position_of(index: int, chunk: DocumentChunk) -> ChunkPosition:
    """Return the place of a document's chunk with this index."""
    return ChunkPosition(index, chunk.char_from, chunk.char_to, chunk.page_from, chunk.page_to)


class ExistingChunk(NamedTuple):
    """A chunk that is stored now."""

    id: UUID
    content_hash: bytes
    position: ChunkPosition


class ChunkMatch(NamedTuple):
    """What becomes of a document's chunks when it is chunked again.

    `kept` maps the ids of stored chunks to their new index, `moved` are those of them whose position changes, `removed`
    are ids of stored chunks that go, `added` are indexes of new chunks whose text no stored chunk has.
    """

    kept: dict[UUID, int]
    moved: list[UUID]
    removed: list[UUID]
    added: list[int]


def match_chunks(existing: Sequence[ExistingChunk], chunks: Sequence[DocumentChunk]) -> ChunkMatch:
    """Match new chunks to stored ones of the same text, equal texts in their order."""
    by_text: defaultdict[bytes, deque[ExistingChunk]] = defaultdict(deque)
    for stored in existing:
        by_text[stored.content_hash].append(stored)
    match = ChunkMatch({}, [], [], [])
    for index, chunk in enumerate(chunks):
        same_text = by_text[text_hash(chunk.text)]
        if not same_text:
            match.added.append(index)
            continue
        stored = same_text.popleft()
        match.kept[stored.id] = index
        if stored.position != position_of(index, chunk):
            match.moved.append(stored.id)
    match.removed.extend(stored.id for left in by_text.values() for stored in left)
    return match


class PostgresDocumentStore:
    """The `DocumentStore` and `ChunkingStore` ports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def known(self, partition: PartitionKey | None = None) -> dict[str, KnownDocument]:
        """Map source_uri to each document stored or rejected, in one partition or in all (None)."""
        query = _KNOWN if partition is None else _KNOWN_IN_PARTITION
        parameters = {} if partition is None else partition_parameters(partition)
        with self._database.transaction() as connection:
            known = {row[0]: KnownDocument(*row[1:]) for row in connection.execute(query, parameters)}
            # A document that went bad after it was stored is in both; its newest state is the rejection.
            for item in _rejections(connection, partition):
                known[item.source_uri] = replace(known.get(item.source_uri, _UNKNOWN), fingerprint=item.fingerprint)
        return known

    @repeatable
    def rejections(self, partition: PartitionKey | None = None) -> list[DocumentRejection]:
        """List the documents that could not be used, by path, in one partition or in all (None)."""
        with self._database.transaction() as connection:
            return _rejections(connection, partition)

    @repeatable
    def forget_rejections(self, source_uris: Sequence[str]) -> None:
        """Delete the rejections of documents that no longer exist."""
        with self._database.transaction() as connection:
            connection.execute(_DELETE_REJECTIONS, {"source_uris": list(source_uris)})

    @repeatable
    def forget_fingerprints(self, source_uris: Sequence[str]) -> None:
        """Let the files of these documents be read again, though they have not changed."""
        with self._database.transaction() as connection:
            connection.execute(_FORGET_FINGERPRINTS, {"source_uris": list(source_uris)})
            connection.execute(_DELETE_REJECTIONS, {"source_uris": list(source_uris)})

    def save(self, documents: Iterable[Document], rejections: Iterable[DocumentRejection]) -> None:
        """Insert or update; a document that is rejected now keeps the text it had before.

        Raises:
            AnotherProgramsDocument: another program has a document of this source_uri; nothing was saved.
        """
        self._save(list(documents), list(rejections))

    @repeatable
    def _save(self, documents: Sequence[Document], rejections: Sequence[DocumentRejection]) -> None:
        with self._database.transaction() as connection:
            for document in documents:
                saved = connection.execute(_SAVE, {**vars(document), **partition_parameters(document.partition)})
                if saved.rowcount == 0:
                    raise AnotherProgramsDocument(document.source_uri)
            connection.execute(_DELETE_REJECTIONS, {"source_uris": [document.source_uri for document in documents]})
            for rejection in rejections:
                values = {**vars(rejection), "partition": str(rejection.partition or "")}
                connection.execute(_SAVE_REJECTION, values)

    @repeatable
    def unchunked_partitions(self, chunker: str) -> list[PartitionKey]:
        """List the partitions with documents of ingestion whose present text this chunker has not chunked."""
        with self._database.transaction() as connection:
            rows = connection.execute(_UNCHUNKED_PARTITIONS, {"chunker": chunker}).fetchall()
        return [PartitionKey(*row) for row in rows]

    @repeatable
    def chunks_to_replace(self, partition: PartitionKey, chunker: str) -> ChunksToReplace:
        """Count the partition's chunks, and those of the documents that `unchunked_documents` yields."""
        parameters = {**partition_parameters(partition), "chunker": chunker}
        with self._database.transaction() as connection:
            chunks = _count(connection, _COUNT_CHUNKS, partition)
            rows = connection.execute(_CHUNKS_OF_UNCHUNKED, parameters).fetchall()
        return ChunksToReplace(chunks, dict(rows))

    def unchunked_documents(self, partition: PartitionKey, chunker: str) -> Iterator[StoredDocument]:
        """Yield the documents one by one, each read when it is asked for; one deleted meanwhile is left out."""
        for id_ in self._unchunked_ids(partition, chunker):
            document = self._document(id_)
            if document is not None:
                yield document

    @repeatable
    def _unchunked_ids(self, partition: PartitionKey, chunker: str) -> list[UUID]:
        parameters = {**partition_parameters(partition), "chunker": chunker}
        with self._database.transaction() as connection:
            return [row[0] for row in connection.execute(_UNCHUNKED_IDS, parameters)]

    @repeatable
    def _document(self, id_: UUID) -> StoredDocument | None:
        with self._database.transaction() as connection:
            return _read_document(connection, _DOCUMENT, id_)

    @repeatable
    def replace_chunks(self, document: StoredDocument, chunks: Sequence[DocumentChunk], chunker: str) -> ChunkChanges:
        """Replace the document's chunks; unchanged ones keep id and vector, removed ones take theirs along."""
        with self._database.transaction() as connection:
            if _read_document(connection, _LOCK_DOCUMENT, document.id) != document:
                return ChunkChanges()
            match = match_chunks(_stored_chunks(connection, document.id), chunks)
            connection.execute(_DELETE_CHUNKS, (match.removed,))
            connection.execute(_MOVE_ASIDE, (match.moved,))
            moves = [(*position_of(index := match.kept[id_], chunks[index]), id_) for id_ in match.moved]
            added = [(chunks[index].text, *position_of(index, chunks[index])) for index in match.added]
            with connection.cursor() as cursor:
                cursor.executemany(_MOVE, moves)
            if added:
                connection.execute(_INSERT_CHUNKS, [document.id, *map(list, zip(*added, strict=True))])
            connection.execute(_MARK_CHUNKED, (chunker, document.id))
        return ChunkChanges(len(match.kept), len(match.added), len(match.removed))

    @repeatable
    def counts(self, partition: PartitionKey) -> tuple[int, int]:
        """Count the partition's documents and chunks."""
        with self._database.transaction() as connection:
            return _count(connection, _COUNT_DOCUMENTS, partition), _count(connection, _COUNT_CHUNKS, partition)

    @repeatable
    def content_digest(self, partition: PartitionKey) -> str:
        """Compute sha256 over the sorted content hashes of the partition's documents, in hex."""
        with self._database.transaction() as connection:
            row = connection.execute(_CONTENT_DIGEST, partition_parameters(partition)).fetchone()
        assert row is not None
        return str(row[0])


def _rejections(connection: Connection, partition: PartitionKey | None) -> list[DocumentRejection]:
    parameters = {"partition": None if partition is None else str(partition)}
    return [
        DocumentRejection(source_uri, PartitionKey.parse(key) if key else None, error, message, fingerprint)
        for source_uri, key, error, message, fingerprint in connection.execute(_REJECTIONS, parameters)
    ]


def _count(connection: Connection, query: LiteralString, partition: PartitionKey) -> int:
    row = connection.execute(query, partition_parameters(partition)).fetchone()
    assert row is not None
    return int(row[0])


def _read_document(connection: Connection, query: LiteralString, id_: UUID) -> StoredDocument | None:
    row = connection.execute(query, (id_,)).fetchone()
    return StoredDocument(row[0], row[1], PartitionKey(*row[2:5]), *row[5:]) if row else None


def _stored_chunks(connection: Connection, document_id: UUID) -> list[ExistingChunk]:
    rows = connection.execute(_STORED_CHUNKS, (document_id,))
    return [ExistingChunk(id_, bytes(content_hash), ChunkPosition(*place)) for id_, content_hash, *place in rows]
