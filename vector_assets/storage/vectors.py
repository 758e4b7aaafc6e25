"""The vectors of one space: committed batch by batch, and searched."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import sql
from psycopg.errors import UndefinedTable

from ..domain.batches import ChunkFailure, EmbeddedChunk
from ..domain.chunks import ChunkSelection
from ..domain.failure_backoff import SECOND_ATTEMPT_AFTER
from ..domain.partition_keys import PartitionKey
from ..domain.search import ChunkFilter, SearchHit
from ..errors import SpaceNotFound
from ..vector_index.decision import INDEX_FROM
from .binary_arrays import HalfVectors, halfvecs, hash_array, integer_array, uuid_array
from .database import Connection, Cursor, Database, repeatable
from .leases import require_held
from .nearest_vectors import NearestVectors
from .partition_columns import partition_parameters
from .spaces import require_live, vectors_table

# Compare-and-set in one statement: a vector is stored if the queue still has its chunk, with the text that was embedded
# and in the same partition; the chunk then leaves the queue. Whoever edits, moves or deletes a chunk writes its row in
# the queue, or will: a row that another transaction has locked is passed over, not waited for. The chunk itself is only
# held so that nobody deletes it; the foreign key would hold it too, but wait.
_STORE: LiteralString = """
WITH incoming AS (
    -- The arrays of the partitions' columns hold each partition of the batch once.
    SELECT i.*, (%(markets)s::text[])[partition] AS market, (%(doc_types)s::text[])[partition] AS doc_type,
           (%(stock_codes)s::text[])[partition] AS stock_code
    FROM unnest(%(ids)b::uuid[], %(partitions)b::integer[], %(hashes)b::bytea[], %(vectors)b::halfvec[],
                %(token_counts)b::integer[], %(tokens_embedded)b::integer[])
        AS i (chunk_id, partition, content_hash, embedding, token_count, tokens_embedded)
){lease}, unchanged AS MATERIALIZED (
    -- One by one, by the keys: of a queue that it has no statistics of, PostgreSQL would read all rows for each batch.
    SELECT i.*, queued.ctid AS queue_row
    FROM incoming i
    CROSS JOIN LATERAL (
        SELECT p.ctid FROM pending_chunks p
        WHERE (p.space, p.market, p.doc_type, p.stock_code, p.chunk_id, p.content_hash)
              = (%(space)s, i.market, i.doc_type, i.stock_code, i.chunk_id, i.content_hash)
        FOR UPDATE SKIP LOCKED) queued
    CROSS JOIN LATERAL (SELECT FROM document_chunks c WHERE c.id = i.chunk_id FOR KEY SHARE SKIP LOCKED) held
    {under_lease}
), dequeued AS (
    DELETE FROM pending_chunks WHERE ctid = ANY(ARRAY(SELECT queue_row FROM unchanged))
), stored AS (
    INSERT INTO {table} (chunk_id, market, doc_type, stock_code, content_hash, embedding,
                         token_count, tokens_embedded, run_id)
    SELECT chunk_id, market, doc_type, stock_code, content_hash, embedding, token_count, tokens_embedded, %(run_id)s
    FROM unchanged
    ON CONFLICT (chunk_id) DO UPDATE SET
        (market, doc_type, stock_code, content_hash, embedding, token_count, tokens_embedded, run_id, created_at)
        = (excluded.market, excluded.doc_type, excluded.stock_code, excluded.content_hash, excluded.embedding,
           excluded.token_count, excluded.tokens_embedded, excluded.run_id, excluded.created_at)
    RETURNING chunk_id
)
-- Mostly all of them are stored, and nothing is to be listed.
SELECT array_agg(chunk_id) FROM stored HAVING count(*) < cardinality(%(ids)b::uuid[])
"""

# The lease under which a run commits. Whoever takes it away waits for the end of the transaction.
_LEASE: LiteralString = """, lease AS MATERIALIZED (
    SELECT FROM partition_leases WHERE token = %(lease)s FOR KEY SHARE
)"""
_UNDER_LEASE: LiteralString = "WHERE EXISTS (SELECT FROM lease)"

# Those of a batch that the run has stored before, when the answer of the commit was lost, and that are still current.
_STORED_BEFORE: LiteralString = """
SELECT v.chunk_id
FROM unnest(%(ids)s::uuid[], %(hashes)s::bytea[]) AS i (chunk_id, content_hash)
JOIN document_chunks c ON (c.id, c.content_hash) = (i.chunk_id, i.content_hash)
JOIN {table} v ON (v.chunk_id, v.content_hash, v.market, v.doc_type, v.stock_code)
                  = (c.id, c.content_hash, c.market, c.doc_type, c.stock_code)
WHERE v.run_id = %(run_id)s
"""

# What the space has of these texts, once each. Only spaces of servers, whose vectors cost money, have the index for it.
_OF_TEXTS: LiteralString = """
SELECT DISTINCT ON (content_hash) content_hash, halfvec_send(embedding) FROM {table}
WHERE content_hash = ANY(%b::bytea[])
"""

# Delete what a run has stored. A trigger makes these chunks pending again.
_DISCARD: LiteralString = """
DELETE FROM {table} WHERE run_id = %(run_id)s
  AND (%(market)s::text IS NULL OR (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s))
  AND (%(ids)s::uuid[] IS NULL OR chunk_id = ANY(%(ids)s))
"""

# Store the failure of a chunk whose text is still the text that failed. After the first one the chunk waits for its
# second attempt, after any other it is quarantined. An attempt counts where it was due: neither the same commit again
# nor two runs at once make two of one.
_STORE_FAILURE = """
UPDATE pending_chunks p SET
    attempts = p.attempts + unchanged.is_due::integer,
    next_attempt_at = CASE WHEN NOT unchanged.is_due THEN p.next_attempt_at
                           WHEN p.attempts = 0 THEN now() + %(rest)s ELSE 'infinity' END,
    error = %(error)s, message = %(message)s, run_id = %(run_id)s, failed_at = now()
FROM (SELECT next_attempt_at <= now() AS is_due FROM pending_chunks
      WHERE (space, market, doc_type, stock_code, chunk_id, content_hash)
            = (%(space)s, %(market)s, %(doc_type)s, %(stock_code)s, %(chunk_id)s, %(content_hash)s)
      FOR UPDATE SKIP LOCKED) unchanged
WHERE (p.space, p.market, p.doc_type, p.stock_code, p.chunk_id)
      = (%(space)s, %(market)s, %(doc_type)s, %(stock_code)s, %(chunk_id)s)
"""

# A vector older than its chunk's text is left out, as by `NearestVectors`.
_PLACES: LiteralString = """
       v.market, v.doc_type, v.stock_code, d.source_uri, c.chunk_index, c.text,
       d.company_name, d.title, d.period, d.language, c.page_from, c.page_to, c.id
FROM document_chunks c
JOIN {table} v ON v.chunk_id = c.id AND v.content_hash = c.content_hash
JOIN documents d ON d.id = c.document_id
WHERE c.id = ANY(%(ids)s)
"""
_NAMED: LiteralString = f"SELECT 1 - (v.embedding <=> %(query)s), {_PLACES}"
_UNSCORED: LiteralString = f"SELECT NULL::double precision, {_PLACES}"


class PostgresVectorStore:
    """The `VectorStore` and `SearchableVectors` ports over one space's table.

    Args:
        index_from: searches over fewer vectors compare each, also where there is an index.
        lease: the token of the lease under which batches are committed; None: they need none.
    """

    def __init__(
        self, database: Database, space_slug: str, index_from: int = INDEX_FROM, lease: int | None = None
    ) -> None:
        self._database = database
        self._space_slug = space_slug
        self._lease = lease
        self._store = _store_statement(space_slug, lease is not None)
        self._stored_before = sql.SQL(_STORED_BEFORE).format(table=vectors_table(space_slug))
        self._of_texts = sql.SQL(_OF_TEXTS).format(table=vectors_table(space_slug)).as_bytes(None)
        self._discard = sql.SQL(_DISCARD).format(table=vectors_table(space_slug))
        self._nearest = NearestVectors(space_slug, index_from)
        self._named = sql.SQL(_NAMED).format(table=vectors_table(space_slug))
        self._unscored = sql.SQL(_UNSCORED).format(table=vectors_table(space_slug))

    @repeatable
    def commit_batch(
        self, embedded: Sequence[EmbeddedChunk], failures: Sequence[ChunkFailure], run_id: str
    ) -> set[UUID]:
        """Store the batch in one transaction; return the ids whose vectors were stored.

        A commit whose answer was lost may have happened. Done again, it stores the same vectors and returns the same
        ids, except those of chunks whose text or partition has changed since.

        Raises:
            SpaceNotLive: the space was retired or dropped; nothing was stored.
            LeaseLost: the lease does not hold any more; nothing was stored.
        """
        with self._database.transaction() as connection:
            try:
                # In a pipeline: all statements go at once, and the answers come together.
                with connection.pipeline():
                    for failure in sorted(failures, key=lambda failure: failure.chunk.id):  # rows are locked by id
                        self._store_failure(connection, failure, run_id)
                    stored = self._store_vectors(connection, embedded, run_id) if embedded else None
            except UndefinedTable:
                connection.rollback()
                require_live(connection, self._space_slug)
                raise
            found = stored.fetchone() if stored else None
            if self._lease is not None and (found is not None or failures):
                require_held(connection, self._lease)
            if found is None:
                return {item.chunk.id for item in embedded}
            require_live(connection, self._space_slug)
            return {*(found[0] or ()), *self._stored_by(connection, embedded, run_id)}

    @repeatable
    def vectors_of_texts(self, hashes: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Read the vectors of texts with these hashes, as far as the space has any."""
        with self._database.transaction() as connection:
            rows = connection.execute(self._of_texts, (hash_array(hashes),), binary=True).fetchall()
        if not rows:
            return {}
        found, vectors = zip(*rows, strict=True)
        return dict(zip(found, halfvecs(vectors), strict=True))

    @repeatable
    def discard(self, selection: ChunkSelection, run_id: str) -> int:
        """Delete what the run stored for the selection; its chunks are pending again. Returns how many."""
        partition = selection.partition
        parameters = {
            **{name: getattr(partition, name, None) for name in ("market", "doc_type", "stock_code")},
            "ids": None if partition else list(selection.chunk_ids),
            "run_id": run_id,
        }
        with self._database.transaction() as connection:
            return connection.execute(self._discard, parameters).rowcount

    def _stored_by(self, connection: Connection, embedded: Sequence[EmbeddedChunk], run_id: str) -> set[UUID]:
        parameters = {
            "ids": [item.chunk.id for item in embedded],
            "hashes": [item.chunk.content_hash for item in embedded],
            "run_id": run_id,
        }
        return {row[0] for row in connection.execute(self._stored_before, parameters)}

    def _store_vectors(self, connection: Connection, embedded: Sequence[EmbeddedChunk], run_id: str) -> Cursor:
        embedded = sorted(embedded, key=lambda item: item.chunk.id.int)  # rows are locked in the order of their ids
        numbers = _numbers_of_partitions(embedded)
        parameters = {
            "ids": uuid_array([item.chunk.id for item in embedded]),
            "markets": [key.market for key in numbers],
            "doc_types": [key.doc_type for key in numbers],
            "stock_codes": [key.stock_code for key in numbers],
            "partitions": integer_array(
                [1] * len(embedded) if len(numbers) == 1 else [numbers[item.chunk.partition] for item in embedded]
            ),
            "hashes": hash_array([item.chunk.content_hash for item in embedded]),
            "vectors": HalfVectors(np.array([item.vector for item in embedded])),
            "token_counts": integer_array([item.tokens.token_count for item in embedded]),
            "tokens_embedded": integer_array([item.tokens.tokens_embedded for item in embedded]),
            "run_id": run_id,
            "space": self._space_slug,
            "lease": self._lease,
        }
        return connection.execute(self._store, parameters)

    def _store_failure(self, connection: Connection, failure: ChunkFailure, run_id: str) -> None:
        parameters = {
            "space": self._space_slug,
            **partition_parameters(failure.chunk.partition),
            "chunk_id": failure.chunk.id,
            "content_hash": failure.chunk.content_hash,
            "error": failure.error,
            # PostgreSQL stores neither NUL nor half a surrogate pair, and a message may quote the text that caused it.
            "message": failure.message.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0"),
            "run_id": run_id,
            "rest": SECOND_ATTEMPT_AFTER,
        }
        connection.execute(_STORE_FAILURE, parameters)

    @repeatable
    def nearest(self, vector: NDArray[np.float32], where: ChunkFilter, limit: int) -> list[SearchHit]:
        """Find the nearest vectors that the filter lets through: by the index where it pays, else exactly; best first.

        Raises:
            SpaceNotFound: the space was dropped.
        """
        with self._database.transaction() as connection:
            try:
                return self._nearest.find(connection, vector, where, limit).hits
            except UndefinedTable:
                raise SpaceNotFound(self._space_slug) from None

    @repeatable
    def similarities(self, vector: NDArray[np.float32], chunk_ids: Sequence[UUID]) -> list[SearchHit]:
        """Compare with the vectors of these chunks, in any order; a chunk without a current vector is left out.

        Raises:
            SpaceNotFound: the space was dropped.
        """
        return self._hits(self._named, {"query": HalfVector(vector), "ids": list(chunk_ids)})

    @repeatable
    def unscored(self, chunk_ids: Sequence[UUID]) -> list[SearchHit]:
        """Give the chunks with these ids as hits without a score, in any order.

        Raises:
            SpaceNotFound: the space was dropped.
        """
        return self._hits(self._unscored, {"ids": list(chunk_ids)})

    def _hits(self, query: sql.Composed, parameters: dict[str, object]) -> list[SearchHit]:
        with self._database.transaction() as connection:
            try:
                rows = connection.execute(query, parameters).fetchall()
            except UndefinedTable:
                raise SpaceNotFound(self._space_slug) from None
        return [
            SearchHit(score, PartitionKey(market, doc_type, stock_code), document, index, text, *about)
            for score, market, doc_type, stock_code, document, index, text, *about in rows
        ]


def _store_statement(space_slug: str, has_lease: bool) -> bytes:
    lease, under_lease = (_LEASE, _UNDER_LEASE) if has_lease else ("", "")
    clauses = {"lease": sql.SQL(lease), "under_lease": sql.SQL(under_lease)}
    return sql.SQL(_STORE).format(table=vectors_table(space_slug), **clauses).as_bytes(None)


def _numbers_of_partitions(embedded: Sequence[EmbeddedChunk]) -> dict[PartitionKey, int]:
    """Number the partitions of the chunks from 1. Mostly all chunks share one key, which is then not compared."""
    first = embedded[0].chunk.partition
    if all(item.chunk.partition is first for item in embedded):
        return {first: 1}
    keys = dict.fromkeys(item.chunk.partition for item in embedded)
    return {key: number for number, key in enumerate(keys, start=1)}
