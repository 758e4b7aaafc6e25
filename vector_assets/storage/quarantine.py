"""Quarantined chunks: listed with their errors, and released for another attempt."""

from collections.abc import Sequence
from typing import LiteralString

from psycopg import sql

from ..domain.partition_keys import PartitionKey
from ..domain.quarantine import QuarantinedChunk, RetryOutcome
from .database import Database, repeatable

# A failure of the chunk's present text, with no vector since.
_FAILED: LiteralString = "f.space = %(space)s AND f.content_hash = c.content_hash AND c.vectorized_at IS NULL"

# The opposite of chunks.PENDING: each chunk without a vector is one or the other.
QUARANTINED: LiteralString = _FAILED + " AND (f.next_attempt_at IS NULL OR f.next_attempt_at > now())"

_IN_PARTITIONS: LiteralString = """
(c.market, c.doc_type, c.stock_code) IN (
    SELECT * FROM unnest(%(markets)s::text[], %(doc_types)s::text[], %(stock_codes)s::text[]))
"""

# The quarantined chunks of some partitions, with what is known of their failures.
_LIST: LiteralString = """
SELECT c.id, c.market, c.doc_type, c.stock_code, d.source_uri, c.chunk_index,
       f.error, f.message, f.attempts, f.failed_at, f.next_attempt_at, f.run_id
FROM chunk_failures f JOIN document_chunks c ON c.id = f.chunk_id JOIN documents d ON d.id = c.document_id
WHERE {quarantined} AND {in_partitions}
ORDER BY c.market, c.doc_type, c.stock_code, d.source_uri, c.chunk_index
LIMIT %(limit)s
"""

# Make the next attempt due now; the row stays, for it counts the attempts. A row that a run is writing at this moment
# is passed over, so that neither waits for the other. Chunks that were released before and had no attempt since are
# released again.
_RELEASE: LiteralString = """
WITH released AS (
    SELECT f.space, f.chunk_id, c.market, c.doc_type, c.stock_code
    FROM chunk_failures f JOIN document_chunks c ON c.id = f.chunk_id
    WHERE {failed} AND {in_partitions}
    ORDER BY f.chunk_id
    FOR NO KEY UPDATE OF f SKIP LOCKED
)
UPDATE chunk_failures f SET next_attempt_at = now() FROM released
WHERE (f.space, f.chunk_id) = (released.space, released.chunk_id)
RETURNING f.chunk_id, released.market, released.doc_type, released.stock_code
"""

# How many of the chunks have a vector, are quarantined, or neither.
_OUTCOME: LiteralString = """
SELECT count(*) FILTER (WHERE c.vectorized_at IS NOT NULL),
       count(*) FILTER (WHERE f.chunk_id IS NOT NULL),
       count(*) FILTER (WHERE c.vectorized_at IS NULL AND f.chunk_id IS NULL)
FROM document_chunks c LEFT JOIN chunk_failures f ON f.chunk_id = c.id AND {quarantined}
WHERE c.id = ANY(%(ids)s)
"""


class Quarantine:
    """The failures in a space, which has to be the active one: chunks are marked as current for that space only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def chunks(
        self, space_slug: str, partitions: Sequence[PartitionKey], limit: int | None = None
    ) -> list[QuarantinedChunk]:
        """List quarantined chunks of the partitions by partition, document and index; at most `limit` (None: all)."""
        query = sql.SQL(_LIST).format(quarantined=sql.SQL(QUARANTINED), in_partitions=sql.SQL(_IN_PARTITIONS))
        with self._database.transaction() as connection:
            rows = connection.execute(query, {**_parameters(space_slug, partitions), "limit": limit}).fetchall()
        return [
            QuarantinedChunk(chunk_id, PartitionKey(market, doc_type, stock_code), *rest)
            for chunk_id, market, doc_type, stock_code, *rest in rows
        ]

    @repeatable
    def release(self, space_slug: str, partitions: Sequence[PartitionKey]) -> dict[int, PartitionKey]:
        """Make the quarantined chunks of the partitions pending; return their ids with their partitions.

        A run that was stopped half-way leaves released chunks without an attempt: these are returned again.
        """
        query = sql.SQL(_RELEASE).format(failed=sql.SQL(_FAILED), in_partitions=sql.SQL(_IN_PARTITIONS))
        with self._database.transaction() as connection:
            rows = connection.execute(query, _parameters(space_slug, partitions)).fetchall()
        return {chunk_id: PartitionKey(*key) for chunk_id, *key in rows}

    @repeatable
    def outcome(self, space_slug: str, chunk_ids: Sequence[int]) -> RetryOutcome:
        """Count what has become of chunks that were released."""
        query = sql.SQL(_OUTCOME).format(quarantined=sql.SQL(QUARANTINED))
        with self._database.transaction() as connection:
            row = connection.execute(query, {"space": space_slug, "ids": list(chunk_ids)}).fetchone()
        assert row is not None
        return RetryOutcome(*row)


def _parameters(space_slug: str, partitions: Sequence[PartitionKey]) -> dict[str, object]:
    return {
        "space": space_slug,
        "markets": [key.market for key in partitions],
        "doc_types": [key.doc_type for key in partitions],
        "stock_codes": [key.stock_code for key in partitions],
    }
