"""The counts of a partition, which triggers keep: many rows are made one, so that few are to be added up."""

from typing import LiteralString

from psycopg import sql

from ..domain.partition_keys import PartitionKey
from .database import Connection, Database, repeatable
from .partition_columns import IN_PARTITION, partition_parameters
from .spaces import vectors_table

# Fewer rows than these are added up in no time.
_FEW = 8

_IN_SPACE: LiteralString = f"space = %(space)s AND {IN_PARTITION}"
_COUNT_ROWS: LiteralString = "SELECT count(*) FROM {counts} WHERE {within}"
# Nobody truncates or drops what is counted meanwhile: the trigger would not see the new row.
_HOLD: LiteralString = "LOCK TABLE {counted} IN ACCESS SHARE MODE"
# Rows that another transaction is making one are passed over. A partition that has nothing any more keeps no row.
_MERGE_CHUNK_COUNTS: LiteralString = f"""
WITH merged AS (
    DELETE FROM chunk_counts
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM chunk_counts WHERE {IN_PARTITION} FOR UPDATE SKIP LOCKED))
    RETURNING *
)
INSERT INTO chunk_counts (market, doc_type, stock_code, chunks, digest)
SELECT market, doc_type, stock_code, sum(chunks), sum(digest)
FROM merged GROUP BY market, doc_type, stock_code HAVING sum(chunks) <> 0 OR sum(digest) <> 0
"""
_MERGE_VECTOR_COUNTS: LiteralString = f"""
WITH merged AS (
    DELETE FROM vector_counts
    WHERE ctid = ANY(ARRAY(SELECT ctid FROM vector_counts WHERE {_IN_SPACE} FOR UPDATE SKIP LOCKED))
    RETURNING *
)
INSERT INTO vector_counts (space, market, doc_type, stock_code, vectors, tokens, tokens_lost, truncated_chunks)
SELECT space, market, doc_type, stock_code, sum(vectors), sum(tokens), sum(tokens_lost), sum(truncated_chunks)
FROM merged GROUP BY space, market, doc_type, stock_code HAVING sum(vectors) <> 0 OR sum(tokens) <> 0
"""


class PartitionCounts:
    """Merges the rows that count a partition's chunks or vectors. The sums stay what they are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @repeatable
    def merge_chunk_counts(self, partition: PartitionKey) -> None:
        """Make the rows that count the partition's chunks one row, if they are many."""
        with self._database.transaction() as connection:
            within, counted = IN_PARTITION, sql.Identifier("document_chunks")
            if _are_many(connection, "chunk_counts", within, partition_parameters(partition)):
                connection.execute(sql.SQL(_HOLD).format(counted=counted))
                connection.execute(_MERGE_CHUNK_COUNTS, partition_parameters(partition))

    @repeatable
    def merge_vector_counts(self, partition: PartitionKey, space_slug: str) -> None:
        """Make the rows that count the partition's vectors in a space one row, if they are many."""
        parameters = {"space": space_slug, **partition_parameters(partition)}
        with self._database.transaction() as connection:
            if _are_many(connection, "vector_counts", _IN_SPACE, parameters):
                connection.execute(sql.SQL(_HOLD).format(counted=vectors_table(space_slug)))
                connection.execute(_MERGE_VECTOR_COUNTS, parameters)


def _are_many(connection: Connection, counts: str, within: LiteralString, parameters: dict[str, object]) -> bool:
    query = sql.SQL(_COUNT_ROWS).format(counts=sql.Identifier(counts), within=sql.SQL(within))
    row = connection.execute(query, parameters).fetchone()
    return row is not None and int(row[0]) >= _FEW
