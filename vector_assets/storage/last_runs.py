"""What the last run of each partition did. One row a partition, so that it is no history and needs no care."""

from ..domain import PartitionKey, VectorizeReport
from .database import Database, repeatable

_RECORD = """
INSERT INTO last_runs (space, market, doc_type, stock_code, run_id, chunks, tokens, seconds)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (space, market, doc_type, stock_code) DO UPDATE SET
    run_id = excluded.run_id, ended_at = now(), chunks = excluded.chunks, tokens = excluded.tokens,
    seconds = excluded.seconds
"""


class LastRuns:
    """Keeps the last run of each partition that put vectors there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def record(self, partition: PartitionKey, space_slug: str, report: VectorizeReport) -> None:
        """A run over a partition has ended now. One that stored nothing leaves the former one in its place."""
        if not report.vectorized_count:
            return
        key = (space_slug, partition.market, partition.doc_type, partition.stock_code)
        done = (report.run_id, report.processed, report.tokens_embedded, report.seconds)
        with self._database.transaction() as connection:
            connection.execute(_RECORD, (*key, *done))
