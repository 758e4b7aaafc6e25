"""The vectors by which the recall of an index is measured."""

import time
from collections.abc import Callable, Iterator
from typing import LiteralString

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import TupleRow

from ..domain.chunks import BEFORE_ALL_CHUNKS
from ..domain.partition_keys import PartitionKey
from ..vector_index.recall import NEIGHBORS, Answer, RecallQuery, VectorWindow
from .binary_arrays import halfvecs
from .database import Database, repeatable
from .nearest_vectors import IndexRead, NearestVectors
from .spaces import vectors_table

# A random part of the rows is looked at, of which each market gives so many.
_SAMPLE: LiteralString = """
SELECT market, doc_type, stock_code, halfvec_send(embedding) FROM (
    SELECT market, doc_type, stock_code, embedding,
           row_number() OVER (PARTITION BY market ORDER BY uuid_hash_extended(chunk_id, %(seed)s)) AS place
    FROM {table} TABLESAMPLE BERNOULLI (%(percent)s) REPEATABLE (%(seed)s)) sampled
WHERE place <= %(limit)s ORDER BY place, market
"""
_SAMPLED_ROWS = 20_000
_WINDOW: LiteralString = """
SELECT v.chunk_id, v.market, v.doc_type, v.stock_code, halfvec_send(v.embedding)
FROM {table} v JOIN document_chunks c ON (c.id, c.content_hash) = (v.chunk_id, v.content_hash)
WHERE v.chunk_id > %(after)s AND c.id > %(after)s ORDER BY v.chunk_id LIMIT %(limit)s
"""
# The planner expects the join to leave a row, and would join both tables whole for each window: of a million rows, that
# took five times as long.
_IN_ORDER = "SET LOCAL enable_hashjoin = off"
# Some 13 MB of 384 dimensions, and twice as much as float32.
_WINDOW_VECTORS = 16_384


class RecallSamples:
    """The `RecallStore` port. No transaction stays open between two windows."""

    def __init__(self, database: Database, index_from: int) -> None:
        self._database = database
        self._index_from = index_from

    @repeatable
    def sample(self, slug: str, vectors: int, limit: int, seed: int) -> list[tuple[PartitionKey, NDArray[np.float32]]]:
        """Draw vectors of a space that has so many, at most `limit` of each market."""
        percent = min(100.0, 100.0 * _SAMPLED_ROWS / max(vectors, 1))
        parameters = {"percent": percent, "limit": limit, "seed": seed}
        statement = sql.SQL(_SAMPLE).format(table=vectors_table(slug))
        with self._database.transaction() as connection, connection.cursor(binary=True) as cursor:
            rows = cursor.execute(statement, parameters).fetchall()
        if not rows:
            return []
        drawn = halfvecs([row[3] for row in rows])
        return [(PartitionKey(*row[:3]), vector) for row, vector in zip(rows, drawn, strict=True)]

    def windows(self, slug: str) -> Iterator[VectorWindow]:
        """Read all current vectors of a space."""
        keys: dict[tuple[str, str, str], PartitionKey] = {}
        after = BEFORE_ALL_CHUNKS
        while rows := self._window(slug, after):
            for _, *parts, _ in rows:
                if (key := tuple(parts)) not in keys:
                    keys[key] = PartitionKey(*key)
            partitions = [keys[market, doc_type, code] for _, market, doc_type, code, _ in rows]
            yield VectorWindow(partitions, halfvecs([row[4] for row in rows]))
            after = rows[-1][0]

    @repeatable
    def _window(self, slug: str, after: object) -> list[TupleRow]:
        statement = sql.SQL(_WINDOW).format(table=vectors_table(slug))
        with self._database.transaction() as connection, connection.cursor(binary=True) as cursor:
            cursor.execute(_IN_ORDER)
            return cursor.execute(statement, {"after": after, "limit": _WINDOW_VECTORS}).fetchall()

    def answers(self, slug: str, generation: int, ef_search: int) -> Callable[[RecallQuery], Answer]:
        """Give what searches as a client does, by this index, whether or not searches read it yet."""
        store = NearestVectors(slug, self._index_from, IndexRead(generation, ef_search))

        def answer(query: RecallQuery) -> Answer:
            begun = time.perf_counter()
            with self._database.transaction() as connection:
                nearest = store.find(connection, query.vector, query.where, NEIGHBORS)
            cosines = [hit.score for hit in nearest.hits if hit.score is not None]
            return Answer(cosines, nearest.by_index, time.perf_counter() - begun)

        return lambda query: self._database.repeat(lambda: answer(query))
