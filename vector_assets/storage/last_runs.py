"""What the last run of each partition did. One row a partition, so that it is no history and needs no care."""

from typing import LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from ..domain.partition_keys import PartitionKey
from ..domain.reports import VectorizeReport
from ..quality.vector_summary import VectorSummary
from .database import Database, repeatable
from .spaces import vectors_table

_RECORD: LiteralString = """
INSERT INTO last_runs (space, market, doc_type, stock_code, run_id, chunks, tokens, seconds, vectors,
                       partition_tokens, partition_tokens_lost, partition_truncated_chunks)
SELECT %(space)s, %(market)s, %(doc_type)s, %(stock_code)s, %(run_id)s, %(chunks)s, %(tokens)s, %(seconds)s,
       %(vectors)s,
       coalesce(sum(token_count), 0), coalesce(sum(token_count - tokens_embedded), 0),
       count(*) FILTER (WHERE token_count > tokens_embedded)
FROM {table} WHERE (market, doc_type, stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)
ON CONFLICT (space, market, doc_type, stock_code) DO UPDATE SET
    run_id = excluded.run_id, ended_at = now(), chunks = excluded.chunks, tokens = excluded.tokens,
    seconds = excluded.seconds, vectors = excluded.vectors, partition_tokens = excluded.partition_tokens,
    partition_tokens_lost = excluded.partition_tokens_lost,
    partition_truncated_chunks = excluded.partition_truncated_chunks
"""
_SUMMARY = """
SELECT vectors FROM last_runs
WHERE (space, market, doc_type, stock_code) = (%s, %s, %s, %s) AND vectors IS NOT NULL
"""


class LastRuns:
    """Keeps the last run of each partition that put vectors there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def record(
        self, partition: PartitionKey, space_slug: str, report: VectorizeReport, summary: VectorSummary | None = None
    ) -> None:
        """A run over a partition has ended now. One that stored nothing leaves the former one in its place.

        `summary` is what the vectors are like that the partition has after it, as far as is known.
        """
        if not report.vectorized_count:
            return
        values = {
            "space": space_slug,
            **vars(partition),
            "run_id": report.run_id,
            "chunks": report.processed,
            "tokens": report.tokens_embedded,
            "seconds": report.seconds,
            "vectors": Jsonb(summary.to_dict()) if summary else None,
        }
        with self._database.transaction() as connection:
            connection.execute(sql.SQL(_RECORD).format(table=vectors_table(space_slug)), values)

    @repeatable
    def summary(self, partition: PartitionKey, space_slug: str) -> VectorSummary | None:
        """What the partition's vectors are like, as the last run left them; None where nobody knows."""
        key = (space_slug, partition.market, partition.doc_type, partition.stock_code)
        with self._database.transaction() as connection:
            row = connection.execute(_SUMMARY, key).fetchone()
        return VectorSummary.from_dict(row[0]) if row else None
