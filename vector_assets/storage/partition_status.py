"""How complete the partitions are. Triggers count chunks and vectors, so that looking costs as much with a million."""

from typing import Any, LiteralString

from psycopg import sql

from ..domain.coverage import LastRun, PartitionStatus, PendingPartition, TokenTotals
from ..domain.partition_keys import PartitionKey
from ..domain.spaces import SpaceStatus
from .database import Connection, Database, repeatable
from .partition_columns import CHUNK_IN_PARTITION, IN_PARTITION, partition_parameters
from .spaces import is_live, status_of, vectors_table

# A row for each partition that has chunks: how many chunks, pending and quarantined ones, how long it has waited, what
# its last run did, and how many tokens its vectors have.
_STATUS: LiteralString = """
WITH counted AS (
    SELECT market, doc_type, stock_code, sum(chunks)::bigint AS chunks
    FROM chunk_counts c WHERE {within} GROUP BY 1, 2, 3 HAVING sum(chunks) > 0
), queued AS ({queued}), tokens AS (
    SELECT market, doc_type, stock_code, sum(tokens)::bigint AS tokens, sum(tokens_lost)::bigint AS lost,
           sum(truncated_chunks)::bigint AS truncated
    FROM vector_counts c WHERE space = %(space)s AND {within} GROUP BY 1, 2, 3
)
SELECT market, doc_type, stock_code, t.chunks, coalesce(q.pending, 0), coalesce(q.quarantined, 0), q.oldest,
       v.tokens, v.lost, v.truncated, r.run_id, r.ended_at, r.chunks, r.tokens, r.seconds
FROM counted t
LEFT JOIN queued q USING (market, doc_type, stock_code)
LEFT JOIN tokens v USING (market, doc_type, stock_code)
LEFT JOIN (SELECT * FROM last_runs WHERE space = %(space)s) r USING (market, doc_type, stock_code)
ORDER BY 1, 2, 3
"""

_QUEUED: LiteralString = """
SELECT market, doc_type, stock_code, count(*) FILTER (WHERE next_attempt_at < 'infinity') AS pending,
       count(*) FILTER (WHERE next_attempt_at = 'infinity') AS quarantined,
       min(pending_since) FILTER (WHERE next_attempt_at < 'infinity') AS oldest
FROM pending_chunks c WHERE space = %(space)s AND {within} GROUP BY 1, 2, 3
"""
# In a space that has no queue yet, every chunk is pending, since its text was written.
_ALL_CHUNKS: LiteralString = """
SELECT market, doc_type, stock_code, count(*) AS pending, 0 AS quarantined, min(updated_at) AS oldest
FROM document_chunks c WHERE {within} GROUP BY 1, 2, 3
"""
# A retired space has no queue: chunks are counted that have no vector of their present text there.
_WITHOUT_VECTOR: LiteralString = """
SELECT c.market, c.doc_type, c.stock_code, count(*) AS pending, 0 AS quarantined, NULL::timestamptz AS oldest
FROM document_chunks c
LEFT JOIN {table} v ON (v.chunk_id, v.content_hash, v.market, v.doc_type, v.stock_code)
                       = (c.id, c.content_hash, c.market, c.doc_type, c.stock_code)
WHERE v.chunk_id IS NULL AND {within} GROUP BY 1, 2, 3
"""
# Chunks that failed once are due when their second attempt is.
_DUE_PARTITIONS: LiteralString = """
SELECT market, doc_type, stock_code, count(*), min(pending_since), max(pending_since)
FROM pending_chunks WHERE space = %(space)s AND next_attempt_at <= now() GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_ALL_PARTITIONS: LiteralString = """
SELECT market, doc_type, stock_code, count(*), min(updated_at), max(updated_at)
FROM document_chunks GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

# One value that changes when a text of the partition does, and does not depend on the order of the rows.
_CONTENT_DIGEST: LiteralString = f"""
SELECT coalesce(sum(chunks), 0)::text || ':' || coalesce(sum(digest), 0)::text FROM chunk_counts WHERE {IN_PARTITION}
"""


class PartitionStatusQueries:
    """Answers from the counts and the queue, which the writers of chunks and vectors change in their transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def status(self, space_slug: str | None) -> list[PartitionStatus]:
        """Count every partition that has chunks, by key, in a space (None: there is none yet).

        In a retired one, what has no current vector is counted as pending.
        """
        return self._status("true", space_slug, {})

    def partition_status(self, partition: PartitionKey, space_slug: str | None) -> PartitionStatus:
        """Count one partition, which may have no chunks."""
        found = self._status(CHUNK_IN_PARTITION, space_slug, partition_parameters(partition))
        return found[0] if found else PartitionStatus(partition, 0, 0, 0, None, None)

    @repeatable
    def _status(self, within: LiteralString, slug: str | None, key: dict[str, object]) -> list[PartitionStatus]:
        with self._database.transaction() as connection:
            queued = _queued(connection, slug or "", within)
            query = sql.SQL(_STATUS).format(within=sql.SQL(within), queued=queued)
            rows = connection.execute(query, {"space": slug or "", **key}).fetchall()
        return [_partition_status(row) for row in rows]

    @repeatable
    def pending_partitions(self, space_slug: str) -> list[PendingPartition]:
        """List the partitions with pending chunks that are due, by key.

        In a space that is not registered yet, these are all partitions.
        """
        with self._database.transaction() as connection:
            query = _DUE_PARTITIONS if is_live(connection, space_slug) else _ALL_PARTITIONS
            rows = connection.execute(query, {"space": space_slug}).fetchall()
        return [
            PendingPartition(PartitionKey(market, doc_type, stock_code), *rest)
            for market, doc_type, stock_code, *rest in rows
        ]

    @repeatable
    def content_digest(self, partition: PartitionKey) -> str:
        """Give the number of the partition's chunks and a sum of their content hashes: equal texts, equal digests."""
        with self._database.transaction() as connection:
            row = connection.execute(_CONTENT_DIGEST, partition_parameters(partition)).fetchone()
        assert row is not None
        return str(row[0])


def _queued(connection: Connection, slug: str, within: LiteralString) -> sql.Composed:
    """The query that counts, per partition, what the space lacks: what its queue holds, if it has one."""
    status = status_of(connection, slug)
    if status is SpaceStatus.RETIRED:
        return sql.SQL(_WITHOUT_VECTOR).format(table=vectors_table(slug), within=sql.SQL(within))
    return sql.SQL(_QUEUED if status else _ALL_CHUNKS).format(within=sql.SQL(within))


def _partition_status(row: tuple[Any, ...]) -> PartitionStatus:
    market, doc_type, stock_code, chunks, pending, quarantined, pending_since, tokens, lost, truncated, *run = row
    totals = TokenTotals(tokens, lost, truncated) if tokens is not None else TokenTotals()
    last_run = LastRun(*run) if run[0] is not None else None
    key = PartitionKey(market, doc_type, stock_code)
    return PartitionStatus(key, chunks, pending, quarantined, pending_since, last_run, totals)
