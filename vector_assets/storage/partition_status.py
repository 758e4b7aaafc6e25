"""How complete the partitions are, counted from the tables' present state."""

from typing import Any, LiteralString

from psycopg import sql

from ..domain.coverage import LastRun, PartitionStatus, PendingPartition, TokenTotals
from ..domain.partition_keys import PartitionKey
from .chunks import PENDING
from .database import Database, repeatable
from .partition_columns import CHUNK_IN_PARTITION, IN_PARTITION, partition_parameters
from .quarantine import QUARANTINED

# A row for each partition that has chunks: how many chunks, pending and quarantined ones, how long it has waited, and
# what its last run did.
_STATUS: LiteralString = """
WITH counted AS (
    SELECT market, doc_type, stock_code, count(*) AS chunks FROM document_chunks c WHERE {within} GROUP BY 1, 2, 3
), pending AS (
    SELECT market, doc_type, stock_code, count(*) AS chunks, min(c.updated_at) AS oldest
    FROM document_chunks c WHERE {pending} AND {within} GROUP BY 1, 2, 3
), quarantined AS (
    SELECT c.market, c.doc_type, c.stock_code, count(*) AS chunks
    FROM chunk_failures f JOIN document_chunks c ON c.id = f.chunk_id
    WHERE {quarantined} AND {within}
    GROUP BY 1, 2, 3
)
SELECT market, doc_type, stock_code, t.chunks, coalesce(p.chunks, 0), coalesce(q.chunks, 0),
       greatest(p.oldest, (SELECT created_at FROM embedding_spaces WHERE slug = %(space)s AND p.oldest IS NOT NULL)),
       r.run_id, r.ended_at, r.chunks, r.tokens, r.seconds,
       r.partition_tokens, r.partition_tokens_lost, r.partition_truncated_chunks
FROM counted t
LEFT JOIN pending p USING (market, doc_type, stock_code)
LEFT JOIN quarantined q USING (market, doc_type, stock_code)
LEFT JOIN (SELECT * FROM last_runs WHERE space = %(space)s) r USING (market, doc_type, stock_code)
ORDER BY 1, 2, 3
"""

# The partitions with pending chunks, and when their oldest pending text was written.
_PENDING_PARTITIONS: LiteralString = """
SELECT c.market, c.doc_type, c.stock_code, count(*), min(c.updated_at)
FROM document_chunks c WHERE {condition}
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

_IS_ACTIVE: LiteralString = "SELECT FROM embedding_spaces WHERE slug = %(space)s AND status = 'active'"

# One value that changes when a text of the partition does, and does not depend on the order of the rows.
_CONTENT_DIGEST: LiteralString = f"""
SELECT encode(sha256(coalesce(string_agg(content_hash, ''::bytea ORDER BY content_hash), '')), 'hex')
FROM document_chunks WHERE {IN_PARTITION}
"""


class PartitionStatusQueries:
    """Answers from the tables alone: there is no state that could be lost or become outdated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def status(self, space_slug: str | None) -> list[PartitionStatus]:
        """Count every partition that has chunks, by key, in the active space (None: there is none yet)."""
        return self._status("true", space_slug, {})

    def partition_status(self, partition: PartitionKey, space_slug: str | None) -> PartitionStatus:
        """Count one partition, which may have no chunks."""
        found = self._status(CHUNK_IN_PARTITION, space_slug, partition_parameters(partition))
        return found[0] if found else PartitionStatus(partition, 0, 0, 0, None, None)

    @repeatable
    def _status(self, within: LiteralString, slug: str | None, key: dict[str, object]) -> list[PartitionStatus]:
        conditions = {"within": within, "pending": PENDING, "quarantined": QUARANTINED}
        query = sql.SQL(_STATUS).format(**{name: sql.SQL(condition) for name, condition in conditions.items()})
        with self._database.transaction() as connection:
            rows = connection.execute(query, {"space": slug or "", **key}).fetchall()
        return [_partition_status(row) for row in rows]

    @repeatable
    def pending_partitions(self, space_slug: str) -> list[PendingPartition]:
        """List the partitions with chunks that have no current vector in the space, by key.

        In a space that is not the active one (yet), that is every partition.
        """
        with self._database.transaction() as connection:
            active = connection.execute(_IS_ACTIVE, {"space": space_slug}).fetchone() is not None
            query = sql.SQL(_PENDING_PARTITIONS).format(condition=sql.SQL(PENDING if active else "true"))
            rows = connection.execute(query, {"space": space_slug}).fetchall()
        return [
            PendingPartition(PartitionKey(market, doc_type, stock_code), pending, oldest)
            for market, doc_type, stock_code, pending, oldest in rows
        ]

    @repeatable
    def content_digest(self, partition: PartitionKey) -> str:
        """Compute sha256 over the sorted content hashes of the partition's chunks, in hex."""
        with self._database.transaction() as connection:
            row = connection.execute(_CONTENT_DIGEST, partition_parameters(partition)).fetchone()
        assert row is not None
        return str(row[0])


def _partition_status(row: tuple[Any, ...]) -> PartitionStatus:
    market, doc_type, stock_code, chunks, pending, quarantined, pending_since, run_id, *run = row
    ended_at, chunks_done, tokens, seconds, *token_totals = run
    last_run = (
        LastRun(run_id, ended_at, chunks_done, tokens, seconds, TokenTotals(*token_totals))
        if run_id is not None
        else None
    )
    key = PartitionKey(market, doc_type, stock_code)
    return PartitionStatus(key, chunks, pending, quarantined, pending_since, last_run)
