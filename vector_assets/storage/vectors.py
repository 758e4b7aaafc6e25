"""The vectors of one space: committed batch by batch, searched exactly."""

from collections.abc import Sequence
from typing import LiteralString

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import sql

from ..domain.batches import ChunkFailure, EmbeddedChunk
from ..domain.partition_keys import PartitionKey
from ..domain.search import SearchFilter, SearchHit
from ..errors import SpaceReplaced
from .database import Connection, Cursor, Database, repeatable
from .halfvec_arrays import HalfVectors
from .spaces import vectors_table

# Lock the space's row until the batch is committed: other commits share the lock, a change of the active space waits.
_HOLD_SPACE = "SELECT FROM embedding_spaces WHERE slug = %s AND status = 'active' FOR SHARE"

# Compare-and-set in one statement: only a chunk whose text is still the text that was embedded is locked, gets its
# vector and is marked; its failures are deleted. A chunk that another transaction is editing is passed over, not waited
# for.
_STORE: LiteralString = """
WITH incoming AS (
    SELECT * FROM unnest(%(ids)b::bigint[], %(hashes)b::bytea[], %(vectors)b::halfvec[],
                         %(token_counts)b::integer[], %(tokens_embedded)b::integer[])
        AS i (chunk_id, content_hash, embedding, token_count, tokens_embedded)
), unchanged AS (
    SELECT c.market, c.doc_type, c.stock_code, i.*
    FROM incoming i JOIN document_chunks c ON c.id = i.chunk_id AND c.content_hash = i.content_hash
    WHERE c.id = ANY(%(ids)b)  -- implied by the join; lets the planner see how few rows it will find
    ORDER BY c.id
    FOR NO KEY UPDATE OF c SKIP LOCKED
), stored AS (
    INSERT INTO {table} (chunk_id, market, doc_type, stock_code, content_hash, embedding,
                         token_count, tokens_embedded, run_id)
    SELECT chunk_id, market, doc_type, stock_code, content_hash, embedding,
           token_count, tokens_embedded, %(run_id)s
    FROM unchanged
    ON CONFLICT (chunk_id) DO UPDATE SET
        (market, doc_type, stock_code, content_hash, embedding, token_count, tokens_embedded, run_id, created_at)
        = (excluded.market, excluded.doc_type, excluded.stock_code, excluded.content_hash, excluded.embedding,
           excluded.token_count, excluded.tokens_embedded, excluded.run_id, excluded.created_at)
    RETURNING chunk_id
), cleared AS (
    DELETE FROM chunk_failures f USING stored WHERE f.space = %(space)s AND f.chunk_id = stored.chunk_id
)
UPDATE document_chunks c SET vectorized_at = now() FROM stored WHERE c.id = stored.chunk_id
RETURNING c.id
"""

# Quarantine a chunk whose text is still the text that failed, or count one more attempt of it.
_QUARANTINE = """
INSERT INTO chunk_failures (space, chunk_id, content_hash, error, message, run_id)
SELECT %(space)s, c.id, c.content_hash, %(error)s, %(message)s, %(run_id)s
FROM document_chunks c WHERE c.id = %(chunk_id)s AND c.content_hash = %(content_hash)s
FOR KEY SHARE OF c SKIP LOCKED  -- one that is being deleted is not waited for
ON CONFLICT (space, chunk_id) DO UPDATE SET
    attempts = CASE WHEN chunk_failures.content_hash <> excluded.content_hash THEN 1
                    WHEN chunk_failures.run_id = excluded.run_id THEN chunk_failures.attempts  -- the same commit again
                    ELSE chunk_failures.attempts + 1 END,
    content_hash = excluded.content_hash, error = excluded.error, message = excluded.message,
    run_id = excluded.run_id, failed_at = now(), next_attempt_at = NULL
"""

# The chunks nearest to a vector. A vector older than its chunk's text is left out: an edited chunk is not found until
# it has its new vector, and never found by its old text.
_NEAREST: LiteralString = """
SELECT 1 - (v.embedding <=> %(query)s), v.market, v.doc_type, v.stock_code, d.source_uri, c.chunk_index, c.text,
       d.company_name, d.title, d.period, d.language
FROM {table} v
JOIN document_chunks c ON c.id = v.chunk_id AND c.content_hash = v.content_hash
JOIN documents d ON d.id = c.document_id
WHERE (%(market)s::text IS NULL OR v.market = %(market)s)
  AND (%(doc_type)s::text IS NULL OR v.doc_type = %(doc_type)s)
  AND (%(stock_code)s::text IS NULL OR v.stock_code = %(stock_code)s)
  AND (%(period)s::text IS NULL OR d.period = %(period)s)
  AND (%(language)s::text IS NULL OR d.language = %(language)s)
ORDER BY v.embedding <=> %(query)s, v.chunk_id
LIMIT %(limit)s
"""


class PostgresVectorStore:
    """The `VectorStore` port over one space's table."""

    def __init__(self, database: Database, space_slug: str) -> None:
        self._database = database
        self._space_slug = space_slug
        self._store = sql.SQL(_STORE).format(table=vectors_table(space_slug))
        self._nearest = sql.SQL(_NEAREST).format(table=vectors_table(space_slug))

    @repeatable
    def commit_batch(
        self, embedded: Sequence[EmbeddedChunk], failures: Sequence[ChunkFailure], run_id: str
    ) -> set[int]:
        """Store the batch in one transaction; return the ids whose vectors were stored.

        A commit whose answer was lost may have happened. Done again, it stores the same vectors and returns the same
        ids, except those of chunks whose text has changed since.

        Raises:
            SpaceReplaced: another space was made the active one; nothing was stored.
        """
        with self._database.transaction() as connection:
            # In a pipeline: all statements go at once, and the answers come together.
            with connection.pipeline():
                held = connection.execute(_HOLD_SPACE, (self._space_slug,))
                for failure in sorted(
                    failures, key=lambda failure: failure.chunk.id
                ):  # rows are locked by id everywhere
                    self._quarantine(connection, failure, run_id)
                stored = self._store_vectors(connection, embedded, run_id) if embedded else None
            if held.fetchone() is None:
                raise SpaceReplaced(self._space_slug)
            return {row[0] for row in stored} if stored else set()

    def _store_vectors(self, connection: Connection, embedded: Sequence[EmbeddedChunk], run_id: str) -> Cursor:
        parameters = {
            "ids": [item.chunk.id for item in embedded],
            "hashes": [item.chunk.content_hash for item in embedded],
            "vectors": HalfVectors(np.stack([item.vector for item in embedded])),
            "token_counts": [item.tokens.token_count for item in embedded],
            "tokens_embedded": [item.tokens.tokens_embedded for item in embedded],
            "run_id": run_id,
            "space": self._space_slug,
        }
        return connection.execute(self._store, parameters)

    def _quarantine(self, connection: Connection, failure: ChunkFailure, run_id: str) -> None:
        parameters = {
            "space": self._space_slug,
            "chunk_id": failure.chunk.id,
            "content_hash": failure.chunk.content_hash,
            "error": failure.error,
            # PostgreSQL stores neither NUL nor half a surrogate pair, and a message may quote the text that caused it.
            "message": failure.message.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0"),
            "run_id": run_id,
        }
        connection.execute(_QUARANTINE, parameters)

    @repeatable
    def nearest(self, vector: NDArray[np.float32], where: SearchFilter, limit: int) -> list[SearchHit]:
        """Compare with every vector of the space that the filter lets through; best first."""
        parameters = {"query": HalfVector(vector), "limit": limit, **vars(where)}
        with self._database.transaction() as connection:
            rows = connection.execute(self._nearest, parameters).fetchall()
        return [
            SearchHit(float(score), PartitionKey(market, doc_type, stock_code), document, index, text, *about)
            for score, market, doc_type, stock_code, document, index, text, *about in rows
        ]
