"""How complete the partitions are, told from the tables' present state."""

from typing import Any, LiteralString

from psycopg import sql

from ..domain.coverage import LastRun, PartitionStatus, PendingPartition, TokenTotals
from ..domain.partition_keys import PartitionKey
from .chunks import PENDING
from .database import Database, repeatable
from .quarantine import QUARANTINED

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
_ONE: LiteralString = "(c.market, c.doc_type, c.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)"

_PENDING_PARTITIONS: LiteralString = """
SELECT c.market, c.doc_type, c.stock_code, count(*), min(c.updated_at)
FROM document_chunks c WHERE {condition}
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

_IS_ACTIVE: LiteralString = "SELECT FROM embedding_spaces WHERE slug = %(space)s AND status = 'active'"

_CONTENT_DIGEST = """
SELECT encode(sha256(coalesce(string_agg(content_hash, ''::bytea ORDER BY content_hash), '')), 'hex')
FROM document_chunks WHERE (market, doc_type, stock_code) = (%s, %s, %s)
"""


class Coverage:
    """Answers from the tables alone: nothing to lose, nothing to get out of step."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def status(self, space_slug: str | None) -> list[PartitionStatus]:
        """Every partition that has chunks, by key, seen from the active space (None: there is none yet)."""
        return self._status("true", space_slug, {})

    def partition_status(self, partition: PartitionKey, space_slug: str | None) -> PartitionStatus:
        """The same for one partition, which may be empty."""
        key = {"market": partition.market, "doc_type": partition.doc_type, "stock_code": partition.stock_code}
        found = self._status(_ONE, space_slug, key)
        return found[0] if found else PartitionStatus(partition, 0, 0, 0, None, None)

    @repeatable
    def _status(self, within: LiteralString, slug: str | None, key: dict[str, str]) -> list[PartitionStatus]:
        conditions = {"within": within, "pending": PENDING, "quarantined": QUARANTINED}
        query = sql.SQL(_STATUS).format(**{name: sql.SQL(condition) for name, condition in conditions.items()})
        with self._database.transaction() as connection:
            rows = connection.execute(query, {"space": slug or "", **key}).fetchall()
        return [_partition_status(row) for row in rows]

    @repeatable
    def pending_partitions(self, space_slug: str) -> list[PendingPartition]:
        """Partitions with chunks that have no current vector in the space, by key.

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
        """sha256 over the sorted content hashes of the partition's chunks, in hex."""
        key = (partition.market, partition.doc_type, partition.stock_code)
        with self._database.transaction() as connection:
            row = connection.execute(_CONTENT_DIGEST, key).fetchone()
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
