"""Documents and the chunks cut from them."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import LiteralString, NamedTuple

from ..domain.chunks import text_hash
from ..domain.documents import ChunkChanges, ChunksToReplace, Document, DocumentRejection, StoredDocument
from ..domain.partition_keys import PartitionKey
from .database import Connection, Database, repeatable

_SAVE = """
INSERT INTO documents (market, doc_type, stock_code, company_name, title, period, language,
                       source_uri, fingerprint, text, content_hash)
VALUES (%(market)s, %(doc_type)s, %(stock_code)s, %(company_name)s, %(title)s, %(period)s, %(language)s,
        %(source_uri)s, %(fingerprint)s, %(text)s, '')
ON CONFLICT (source_uri) DO UPDATE SET
    market = excluded.market, doc_type = excluded.doc_type, stock_code = excluded.stock_code,
    company_name = excluded.company_name, title = excluded.title, period = excluded.period,
    language = excluded.language, fingerprint = excluded.fingerprint, text = excluded.text, updated_at = now()
"""

_REJECT = """
INSERT INTO document_rejections (source_uri, partition, error, message, fingerprint)
VALUES (%(source_uri)s, %(partition)s, %(error)s, %(message)s, %(fingerprint)s)
ON CONFLICT (source_uri) DO UPDATE SET
    partition = excluded.partition, error = excluded.error, message = excluded.message,
    fingerprint = excluded.fingerprint, rejected_at = now()
"""

# Ingestion gives every document a fingerprint; one without is another program's, and so are its chunks.
_UNCHUNKED = """
SELECT id FROM documents
WHERE (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)
  AND chunked_by IS DISTINCT FROM %(chunker)s AND fingerprint <> ''
ORDER BY source_uri
"""

_CHUNKS = """
SELECT count(*) FROM document_chunks
WHERE (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)
"""

_CHUNKS_OF_UNCHUNKED = """
SELECT d.id, count(*) FROM documents d JOIN document_chunks c ON c.document_id = d.id
WHERE (d.market, d.doc_type, d.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)
  AND d.chunked_by IS DISTINCT FROM %(chunker)s AND d.fingerprint <> ''
GROUP BY d.id
"""

_UNCHUNKED_PARTITIONS = """
SELECT DISTINCT market, doc_type, stock_code FROM documents
WHERE chunked_by IS DISTINCT FROM %(chunker)s AND fingerprint <> ''
"""

_COUNTS = """
SELECT (SELECT count(*) FROM documents
        WHERE (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)),
       (SELECT count(*) FROM document_chunks
        WHERE (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s))
"""

_DOCUMENTS_DIGEST = """
SELECT encode(sha256(coalesce(string_agg(content_hash, ''::bytea ORDER BY content_hash), '')), 'hex')
FROM documents WHERE (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)
"""

_FINGERPRINTS: LiteralString = "SELECT source_uri, fingerprint FROM documents"
_IN_PARTITION: LiteralString = "\nWHERE (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)"
_REJECTIONS: LiteralString = "SELECT source_uri, partition, error, message, fingerprint FROM document_rejections"

# Indices that others still hold are stepped over by way of a range that no document reaches.
_PARK = "UPDATE document_chunks SET chunk_index = chunk_index + 1000000000 WHERE id = ANY(%s)"
_PLACE = "UPDATE document_chunks SET chunk_index = %s WHERE id = %s"
_ADD = """
INSERT INTO document_chunks (document_id, market, doc_type, stock_code, chunk_index, text, content_hash)
VALUES (%s, '', '', '', %s, %s, '')
"""


class ExistingChunk(NamedTuple):
    """A chunk that is stored now."""

    id: int
    chunk_index: int
    content_hash: bytes


class ChunkMatch(NamedTuple):
    """Which stored chunks stay (`kept`: id -> new index), move (those of them whose index changes), go, come."""

    kept: dict[int, int]
    moved: list[int]
    removed: list[int]
    added: list[int]


def match_chunks(existing: Sequence[ExistingChunk], hashes: Sequence[bytes]) -> ChunkMatch:
    """Match new chunks to stored ones of the same text, equal texts in their order.

    `added` are positions in `hashes` for which no stored chunk has the text.
    """
    by_text: defaultdict[bytes, deque[ExistingChunk]] = defaultdict(deque)
    for chunk in existing:
        by_text[chunk.content_hash].append(chunk)
    match = ChunkMatch({}, [], [], [])
    for index, content_hash in enumerate(hashes):
        if not by_text[content_hash]:
            match.added.append(index)
            continue
        chunk = by_text[content_hash].popleft()
        match.kept[chunk.id] = index
        if chunk.chunk_index != index:
            match.moved.append(chunk.id)
    match.removed.extend(chunk.id for left in by_text.values() for chunk in left)
    return match


class PostgresDocumentStore:
    """The `DocumentStore` and `ChunkingStore` ports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def known_fingerprints(self, partition: PartitionKey | None = None) -> dict[str, str]:
        """source_uri -> fingerprint of every document stored or rejected, in one partition or in all (None)."""
        query = _FINGERPRINTS if partition is None else _FINGERPRINTS + _IN_PARTITION
        with self._database.transaction() as connection:
            stored = connection.execute(query, _key(partition)).fetchall()
        # A document that went bad after it was stored is in both; its newest state is the rejection.
        rejected = {item.source_uri: item.fingerprint for item in self._rejections(partition)}
        return dict(stored) | rejected

    @repeatable
    def rejections(self, partition: PartitionKey | None = None) -> list[DocumentRejection]:
        """Documents that could not be used, by path, in one partition or in all (None)."""
        return self._rejections(partition)

    def _rejections(self, partition: PartitionKey | None) -> list[DocumentRejection]:
        query = _REJECTIONS if partition is None else _REJECTIONS + " WHERE partition = %(partition)s"
        with self._database.transaction() as connection:
            rows = connection.execute(query + " ORDER BY source_uri", _key(partition)).fetchall()
        return [
            DocumentRejection(source_uri, PartitionKey.parse(key) if key else None, error, message, fingerprint)
            for source_uri, key, error, message, fingerprint in rows
        ]

    @repeatable
    def forget_rejections(self, source_uris: Sequence[str]) -> None:
        """Strike rejected documents that are no longer there off the list."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM document_rejections WHERE source_uri = ANY(%s)", (list(source_uris),))

    def save(self, documents: Iterable[Document], rejections: Iterable[DocumentRejection]) -> None:
        """Insert or update; a document that is rejected now keeps the text it had before."""
        self._save(list(documents), list(rejections))

    @repeatable
    def _save(self, documents: Sequence[Document], rejections: Sequence[DocumentRejection]) -> None:
        with self._database.transaction() as connection:
            for document in documents:
                connection.execute(_SAVE, {
                    "market": document.partition.market, "doc_type": document.partition.doc_type,
                    "stock_code": document.partition.stock_code, "company_name": document.company_name,
                    "title": document.title, "period": document.period, "language": document.language,
                    "source_uri": document.source_uri, "fingerprint": document.fingerprint, "text": document.text,
                })  # fmt: skip
                connection.execute("DELETE FROM document_rejections WHERE source_uri = %s", (document.source_uri,))
            for rejection in rejections:
                connection.execute(_REJECT, {
                    "source_uri": rejection.source_uri, "partition": str(rejection.partition or ""),
                    "error": rejection.error, "message": rejection.message, "fingerprint": rejection.fingerprint,
                })  # fmt: skip

    @repeatable
    def unchunked_partitions(self, chunker: str) -> list[PartitionKey]:
        """Partitions with documents of ingestion whose present text this chunker has not cut."""
        with self._database.transaction() as connection:
            rows = connection.execute(_UNCHUNKED_PARTITIONS, {"chunker": chunker}).fetchall()
        return [PartitionKey(*row) for row in rows]

    @repeatable
    def chunks_to_replace(self, partition: PartitionKey, chunker: str) -> ChunksToReplace:
        """Count the partition's chunks, and those of the documents that `unchunked_documents` gives."""
        with self._database.transaction() as connection:
            row = connection.execute(_CHUNKS, _key(partition)).fetchone()
            rows = connection.execute(_CHUNKS_OF_UNCHUNKED, _key(partition) | {"chunker": chunker}).fetchall()
        assert row is not None
        return ChunksToReplace(row[0], dict(rows))

    def unchunked_documents(self, partition: PartitionKey, chunker: str) -> Iterator[StoredDocument]:
        """One document at a time in memory; one deleted meanwhile is left out."""
        for id_ in self._unchunked_ids(partition, chunker):
            document = self._document(id_)
            if document is not None:
                yield document

    @repeatable
    def _unchunked_ids(self, partition: PartitionKey, chunker: str) -> list[int]:
        with self._database.transaction() as connection:
            return [row[0] for row in connection.execute(_UNCHUNKED, _key(partition) | {"chunker": chunker})]

    @repeatable
    def _document(self, id_: int) -> StoredDocument | None:
        with self._database.transaction() as connection:
            query = "SELECT source_uri, text FROM documents WHERE id = %s"
            row = connection.execute(query, (id_,)).fetchone()
        return StoredDocument(id_, row[0], row[1]) if row else None

    @repeatable
    def replace_chunks(self, document: StoredDocument, texts: Sequence[str], chunker: str) -> ChunkChanges:
        """Make the document's chunks be `texts`; unchanged ones keep id and vector, removed ones take theirs along."""
        with self._database.transaction() as connection:
            query = "SELECT content_hash FROM documents WHERE id = %s FOR NO KEY UPDATE"
            row = connection.execute(query, (document.id,)).fetchone()
            if row is None or bytes(row[0]) != text_hash(document.text):
                return ChunkChanges()
            match = match_chunks(_existing(connection, document.id), [text_hash(text) for text in texts])
            connection.execute("DELETE FROM document_chunks WHERE id = ANY(%s)", (match.removed,))
            connection.execute(_PARK, (match.moved,))
            with connection.cursor() as cursor:
                cursor.executemany(_PLACE, [(match.kept[id_], id_) for id_ in match.moved])
                cursor.executemany(_ADD, [(document.id, index, texts[index]) for index in match.added])
            connection.execute("UPDATE documents SET chunked_by = %s WHERE id = %s", (chunker, document.id))
        return ChunkChanges(len(match.kept), len(match.added), len(match.removed))

    @repeatable
    def counts(self, partition: PartitionKey) -> tuple[int, int]:
        """How many documents and chunks the partition has."""
        with self._database.transaction() as connection:
            row = connection.execute(_COUNTS, _key(partition)).fetchone()
        assert row is not None
        return row[0], row[1]

    @repeatable
    def content_digest(self, partition: PartitionKey) -> str:
        """sha256 over the sorted content hashes of the partition's documents, in hex."""
        with self._database.transaction() as connection:
            row = connection.execute(_DOCUMENTS_DIGEST, _key(partition)).fetchone()
        assert row is not None
        return str(row[0])


def _key(partition: PartitionKey | None) -> dict[str, str]:
    if partition is None:
        return {}
    market, doc_type, stock_code = partition.market, partition.doc_type, partition.stock_code
    return {"market": market, "doc_type": doc_type, "stock_code": stock_code, "partition": str(partition)}


def _existing(connection: Connection, document_id: int) -> list[ExistingChunk]:
    query = "SELECT id, chunk_index, content_hash FROM document_chunks WHERE document_id = %s ORDER BY chunk_index"
    rows = connection.execute(query, (document_id,))
    return [ExistingChunk(id_, index, bytes(content_hash)) for id_, index, content_hash in rows]
