"""What the last run of each partition did: one row per partition, replaced by the next run."""

from typing import LiteralString

from psycopg.types.json import Jsonb

from ..domain.partition_keys import PartitionKey
from ..domain.reports import VectorizeReport
from ..quality.vector_summary import VectorSummary
from .database import Database, repeatable
from .partition_columns import IN_PARTITION, partition_parameters

# Replace the partition's row.
_RECORD = """
INSERT INTO last_runs (space, market, doc_type, stock_code, run_id, chunks, tokens, seconds, vectors)
VALUES (%(space)s, %(market)s, %(doc_type)s, %(stock_code)s, %(run_id)s, %(chunks)s, %(tokens)s, %(seconds)s,
        %(vectors)s)
ON CONFLICT (space, market, doc_type, stock_code) DO UPDATE SET
    run_id = excluded.run_id, ended_at = now(), chunks = excluded.chunks, tokens = excluded.tokens,
    seconds = excluded.seconds, vectors = excluded.vectors
"""
# The summary of the partition's vectors, where the last run left one.
_SUMMARY: LiteralString = f"""
SELECT vectors FROM last_runs WHERE space = %(space)s AND {IN_PARTITION} AND vectors IS NOT NULL
"""


class LastRuns:
    """Keeps what the last run of each partition did that stored vectors there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def record(
        self, partition: PartitionKey, space_slug: str, report: VectorizeReport, summary: VectorSummary | None = None
    ) -> None:
        """Record a run over the partition that ends now; one that stored nothing leaves the former one in its place.

        `summary` describes the vectors that the partition has after the run; None: unknown.
        """
        if not report.vectorized_count:
            return
        values = {
            "space": space_slug,
            **partition_parameters(partition),
            "run_id": report.run_id,
            "chunks": report.processed,
            "tokens": report.tokens_embedded,
            "seconds": report.seconds,
            "vectors": Jsonb(summary.to_dict()) if summary else None,
        }
        with self._database.transaction() as connection:
            connection.execute(_RECORD, values)

    @repeatable
    def summary(self, partition: PartitionKey, space_slug: str) -> VectorSummary | None:
        """Describe the partition's vectors as the last run left them; None: unknown."""
        parameters = {"space": space_slug, **partition_parameters(partition)}
        with self._database.transaction() as connection:
            row = connection.execute(_SUMMARY, parameters).fetchone()
        return VectorSummary.from_dict(row[0]) if row else None
