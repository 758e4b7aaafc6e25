"""What the last run of each partition did. One row a partition, so that it is no history and needs no care."""

from psycopg.types.json import Jsonb

from ..domain import PartitionKey, VectorizeReport
from ..inspection.distribution import Summary
from .database import Database, repeatable

_RECORD = """
INSERT INTO last_runs (space, market, doc_type, stock_code, run_id, chunks, tokens, seconds, vectors)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (space, market, doc_type, stock_code) DO UPDATE SET
    run_id = excluded.run_id, ended_at = now(), chunks = excluded.chunks, tokens = excluded.tokens,
    seconds = excluded.seconds, vectors = excluded.vectors
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
        self, partition: PartitionKey, space_slug: str, report: VectorizeReport, summary: Summary | None = None
    ) -> None:
        """A run over a partition has ended now. One that stored nothing leaves the former one in its place.

        `summary` is what the vectors are like that the partition has after it, as far as is known.
        """
        if not report.vectorized_count:
            return
        key = (space_slug, partition.market, partition.doc_type, partition.stock_code)
        done = (report.run_id, report.processed, report.tokens_embedded, report.seconds)
        vectors = Jsonb(summary.to_dict()) if summary else None
        with self._database.transaction() as connection:
            connection.execute(_RECORD, (*key, *done, vectors))

    @repeatable
    def summary(self, partition: PartitionKey, space_slug: str) -> Summary | None:
        """What the partition's vectors are like, as the last run left them; None where nobody knows."""
        key = (space_slug, partition.market, partition.doc_type, partition.stock_code)
        with self._database.transaction() as connection:
            row = connection.execute(_SUMMARY, key).fetchone()
        return Summary.from_dict(row[0]) if row else None
