"""Chunks that failed: listed with their errors, and released for another attempt."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from ..domain.partition_keys import PartitionKey
from ..domain.quarantine import FailedChunk, FailureCounts, RetryOutcome
from .database import Database, repeatable

# The rows of the queue that hold a failure of the chunk's present text, in some partitions.
_FAILED: LiteralString = """
p.space = %(space)s AND p.attempts > 0 AND (p.market, p.doc_type, p.stock_code) IN (
    SELECT * FROM unnest(%(markets)s::text[], %(doc_types)s::text[], %(stock_codes)s::text[]))
"""

# The failed chunks of some partitions, with what is known of their failures.
_LIST: LiteralString = f"""
SELECT c.id, c.market, c.doc_type, c.stock_code, d.source_uri, c.chunk_index,
       p.error, p.message, p.attempts, p.failed_at,
       nullif(greatest(p.next_attempt_at, p.failed_at), 'infinity'), p.run_id
FROM pending_chunks p JOIN document_chunks c ON c.id = p.chunk_id JOIN documents d ON d.id = c.document_id
WHERE {_FAILED}
ORDER BY c.market, c.doc_type, c.stock_code, p.next_attempt_at < 'infinity', d.source_uri, c.chunk_index
LIMIT %(limit)s
"""

_COUNT: LiteralString = f"""
SELECT count(*) FILTER (WHERE next_attempt_at < 'infinity'), count(*) FILTER (WHERE next_attempt_at = 'infinity'),
       nullif(greatest(min(next_attempt_at), now()), 'infinity')
FROM pending_chunks p WHERE {_FAILED}
"""

# Make the next attempt due now; the row stays, for it counts the attempts. A row that a run is writing at this moment
# is passed over, so that neither waits for the other. Chunks that were released before and had no attempt since are
# released again.
_RELEASE: LiteralString = f"""
WITH released AS (
    SELECT p.space, p.market, p.doc_type, p.stock_code, p.chunk_id
    FROM pending_chunks p WHERE {_FAILED}
    ORDER BY p.chunk_id
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE pending_chunks p SET next_attempt_at = '-infinity' FROM released r
WHERE (p.space, p.market, p.doc_type, p.stock_code, p.chunk_id)
      = (r.space, r.market, r.doc_type, r.stock_code, r.chunk_id)
RETURNING p.chunk_id, p.market, p.doc_type, p.stock_code
"""

# How many of the chunks have a vector, are quarantined, or neither.
_OUTCOME: LiteralString = """
SELECT count(*) FILTER (WHERE p.chunk_id IS NULL),
       count(*) FILTER (WHERE p.next_attempt_at = 'infinity'),
       count(*) FILTER (WHERE p.next_attempt_at < 'infinity')
FROM document_chunks c
LEFT JOIN pending_chunks p ON (p.space, p.market, p.doc_type, p.stock_code, p.chunk_id)
                              = (%(space)s, c.market, c.doc_type, c.stock_code, c.id)
WHERE c.id = ANY(%(ids)s)
"""


class Quarantine:
    """The chunks that failed, per space: their rows in the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def chunks(
        self, space_slug: str, partitions: Sequence[PartitionKey], limit: int | None = None
    ) -> list[FailedChunk]:
        """List the failed chunks of the partitions, the quarantined ones of each first, at most `limit` (None: all)."""
        with self._database.transaction() as connection:
            rows = connection.execute(_LIST, {**_parameters(space_slug, partitions), "limit": limit}).fetchall()
        return [
            FailedChunk(chunk_id, PartitionKey(market, doc_type, stock_code), *rest)
            for chunk_id, market, doc_type, stock_code, *rest in rows
        ]

    @repeatable
    def counts(self, space_slug: str, partitions: Sequence[PartitionKey]) -> FailureCounts:
        """Count the failed chunks of the partitions."""
        with self._database.transaction() as connection:
            row = connection.execute(_COUNT, _parameters(space_slug, partitions)).fetchone()
        assert row is not None
        return FailureCounts(*row)

    @repeatable
    def release(self, space_slug: str, partitions: Sequence[PartitionKey]) -> dict[UUID, PartitionKey]:
        """Make the failed chunks of the partitions pending and due; return their ids with their partitions.

        A run that was stopped half-way leaves released chunks without an attempt: these are returned again.
        """
        with self._database.transaction() as connection:
            rows = connection.execute(_RELEASE, _parameters(space_slug, partitions)).fetchall()
        return {chunk_id: PartitionKey(*key) for chunk_id, *key in rows}

    @repeatable
    def outcome(self, space_slug: str, chunk_ids: Sequence[UUID]) -> RetryOutcome:
        """Count what has become of chunks that were released."""
        with self._database.transaction() as connection:
            row = connection.execute(_OUTCOME, {"space": space_slug, "ids": list(chunk_ids)}).fetchone()
        assert row is not None
        return RetryOutcome(*row)


def _parameters(space_slug: str, partitions: Sequence[PartitionKey]) -> dict[str, object]:
    return {
        "space": space_slug,
        "markets": [key.market for key in partitions],
        "doc_types": [key.doc_type for key in partitions],
        "stock_codes": [key.stock_code for key in partitions],
    }
