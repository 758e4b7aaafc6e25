"""How complete the partitions are, told from the tables' present state."""

from typing import LiteralString

from psycopg import sql

from ..domain import DocumentRejection, PartitionKey, PartitionStatus, PendingPartition, RunReference
from .chunks import PENDING
from .database import Database
from .spaces import vectors_table

_STATUS: LiteralString = """
WITH counted AS (
    SELECT market, doc_type, stock_code, count(*) AS chunks FROM document_chunks GROUP BY 1, 2, 3
), without_vector AS (
    SELECT market, doc_type, stock_code, count(*) AS chunks
    FROM document_chunks WHERE vectorized_at IS NULL GROUP BY 1, 2, 3
), quarantined AS (
    SELECT c.market, c.doc_type, c.stock_code, count(*) AS chunks
    FROM chunk_failures f JOIN document_chunks c ON c.id = f.chunk_id AND c.content_hash = f.content_hash
    WHERE f.space = %(space)s AND c.vectorized_at IS NULL
      AND (f.next_attempt_at IS NULL OR f.next_attempt_at > now())
    GROUP BY 1, 2, 3
)
SELECT t.market, t.doc_type, t.stock_code, t.chunks,
       coalesce(w.chunks, 0) - coalesce(q.chunks, 0), coalesce(q.chunks, 0), run.run_id, run.created_at
FROM counted t
LEFT JOIN without_vector w USING (market, doc_type, stock_code)
LEFT JOIN quarantined q USING (market, doc_type, stock_code)
LEFT JOIN LATERAL ({last_run}) run ON true
ORDER BY 1, 2, 3
"""
_LAST_RUN: LiteralString = """
SELECT v.run_id, v.created_at FROM {table} v
WHERE (v.market, v.doc_type, v.stock_code) = (t.market, t.doc_type, t.stock_code)
ORDER BY v.created_at DESC LIMIT 1
"""
_NO_RUN: LiteralString = "SELECT NULL::text AS run_id, NULL::timestamptz AS created_at"

_PENDING_PARTITIONS: LiteralString = """
SELECT c.market, c.doc_type, c.stock_code, count(*), max(c.updated_at)
FROM document_chunks c WHERE {condition}
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

_CONTENT_DIGEST = """
SELECT encode(sha256(coalesce(string_agg(content_hash, ''::bytea ORDER BY content_hash), '')), 'hex')
FROM document_chunks WHERE (market, doc_type, stock_code) = (%s, %s, %s)
"""


class Coverage:
    """Answers from the tables alone: nothing to lose, nothing to get out of step."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def status(self, active_slug: str | None) -> list[PartitionStatus]:
        """Every partition that has chunks, by key, seen from the active space (None: there is none yet)."""
        last_run: sql.Composable = sql.SQL(_NO_RUN)
        if active_slug is not None:
            last_run = sql.SQL(_LAST_RUN).format(table=vectors_table(active_slug))
        query = sql.SQL(_STATUS).format(last_run=last_run)
        with self._database.transaction() as connection:
            rows = connection.execute(query, {"space": active_slug or ""}).fetchall()
        return [
            PartitionStatus(
                PartitionKey(market, doc_type, stock_code), chunks, pending, quarantined,
                RunReference(run_id, at) if run_id else None,
            )
            for market, doc_type, stock_code, chunks, pending, quarantined, run_id, at in rows
        ]  # fmt: skip

    def pending_partitions(self, space_slug: str, active_slug: str | None) -> list[PendingPartition]:
        """Partitions with chunks that have no current vector in the space, by key.

        In a space that is not the active one (yet), that is every partition.
        """
        condition = sql.SQL(PENDING) if space_slug == active_slug else sql.SQL("true")
        query = sql.SQL(_PENDING_PARTITIONS).format(condition=condition)
        with self._database.transaction() as connection:
            rows = connection.execute(query, {"space": space_slug}).fetchall()
        return [
            PendingPartition(PartitionKey(market, doc_type, stock_code), pending, newest)
            for market, doc_type, stock_code, pending, newest in rows
        ]

    def content_digest(self, partition: PartitionKey) -> str:
        """sha256 over the sorted content hashes of the partition's chunks, in hex."""
        key = (partition.market, partition.doc_type, partition.stock_code)
        with self._database.transaction() as connection:
            row = connection.execute(_CONTENT_DIGEST, key).fetchone()
        assert row is not None
        return str(row[0])

    def rejections(self) -> list[DocumentRejection]:
        """Documents that could not be used, by path."""
        query = "SELECT source_uri, partition, error, message, fingerprint FROM document_rejections ORDER BY source_uri"
        with self._database.transaction() as connection:
            rows = connection.execute(query).fetchall()
        return [
            DocumentRejection(source_uri, PartitionKey.parse(partition) if partition else None, error, message, mark)
            for source_uri, partition, error, message, mark in rows
        ]
