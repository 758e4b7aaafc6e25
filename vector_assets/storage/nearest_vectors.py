"""The vectors of one space that are nearest to a question's: by the index where it pays, else exactly.

An index of a space has a condition that is always true and its own (storage/vector_indexes.py), so that a search reads
the index whose condition it repeats, and no other: a new one is not read before it has passed its check.
"""

import logging
import math
import time
from collections.abc import Sequence
from typing import LiteralString, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg import errors, sql
from psycopg.rows import TupleRow

from ..domain.partition_keys import PartitionKey
from ..domain.search import ChunkFilter, SearchHit
from ..translation import translate
from ..vector_index.decision import index_pays
from .database import Connection
from .search_filters import filter_parameters, in_partitions, of_documents
from .spaces import vectors_table

logger = logging.getLogger(__name__)

_IN_USE = "SELECT generation, ef_search FROM vector_indexes WHERE space = %(space)s AND ef_search IS NOT NULL"
# How many vectors a filter leaves: its partitions are counted, and of documents' values the share is.
_IN_PARTITIONS: LiteralString = (
    "SELECT coalesce(sum(vectors), 0)::bigint FROM vector_counts n WHERE n.space = %(space)s AND {wanted}"
)
_OF_DOCUMENTS: LiteralString = """
SELECT coalesce(avg((({about}))::integer), 0)::double precision FROM documents d WHERE {wanted}
"""

# A vector is ranked first and joined afterwards, so that its chunk's text is read only for what is shown.
_RANKED: LiteralString = """
SELECT v.chunk_id, v.content_hash, v.market, v.doc_type, v.stock_code, v.embedding <=> %(query)s AS distance
FROM {vectors} WHERE {wanted} ORDER BY {order} LIMIT %(candidates)s
"""
# Partition by partition, each by the B-tree: what the planner would do if it knew how few rows there are.
_OF_PARTITIONS: LiteralString = """
(SELECT DISTINCT market, doc_type, stock_code FROM vector_counts n WHERE n.space = %(space)s AND {wanted}) p
CROSS JOIN LATERAL (SELECT * FROM {table} t
                    WHERE (t.market, t.doc_type, t.stock_code) = (p.market, p.doc_type, p.stock_code) OFFSET 0) v
"""
# Asked of each vector that the index gives, where the planner would rather join all documents and sort ({offset}).
_ABOUT: LiteralString = """
EXISTS (SELECT FROM document_chunks c JOIN documents d ON d.id = c.document_id
        WHERE c.id = v.chunk_id AND c.content_hash = v.content_hash AND {about} {offset})
"""
# A vector older than its chunk's text is left out: an edited chunk is not found until it has its new vector, and never
# found by its old text. Its row comes without a chunk, so that one can see how many vectors were ranked.
_HITS: LiteralString = """
WITH ranked AS MATERIALIZED ({ranked})
SELECT r.distance, r.chunk_id, c.id IS NOT NULL, r.market, r.doc_type, r.stock_code, d.source_uri, c.chunk_index,
       c.text, d.company_name, d.title, d.period, d.language, c.page_from, c.page_to, c.id
FROM ranked r
LEFT JOIN document_chunks c ON c.id = r.chunk_id AND c.content_hash = r.content_hash
LEFT JOIN documents d ON d.id = c.document_id
"""

# The planner takes the index where it may not sort: it expects a filter to leave fewer rows than it does. An iterative
# scan goes on until the filter has let enough vectors through, here or until so many were seen.
INDEX_SETTINGS = {
    "enable_sort": "off",
    "jit": "off",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "20000",
    "hnsw.scan_mem_multiplier": "4",
}
_REFUSALS = (
    errors.InvalidName,
    errors.InvalidParameterValue,
    errors.UndefinedObject,
    errors.InsufficientPrivilege,
    errors.CantChangeRuntimeParam,
)
_MOST_EF_SEARCH = 1000
# Twice as many vectors are looked at as will be enough, if as many of them pass the filter as of all.
_ENOUGH = 2

# Beyond what is asked for, because some vectors may be older than their text; and how many more, should that be few.
_SPARE, _MORE = 16, 8

# For so long a filter is taken to leave as many vectors as when that was counted.
_COUNTED_SECONDS = 60.0


class IndexRead(NamedTuple):
    """Which index of a space a search reads, and how many vectors it looks at on its way."""

    generation: int
    ef_search: int


class Nearest(NamedTuple):
    """The hits, best first, and whether the index gave them."""

    hits: list[SearchHit]
    by_index: bool


def always_true(generation: int) -> sql.Composable:
    """Give the condition of an index: no vector has a negative count of tokens."""
    return sql.SQL("token_count <> {number}").format(number=sql.Literal(-generation))


class NearestVectors:
    """Finds the nearest vectors of one space.

    Args:
        index_from: where a filter leaves fewer vectors than this, each is compared.
        read: the index to read for the others, whether or not searches use it; None: the one in use.
    """

    def __init__(self, space_slug: str, index_from: int, read: IndexRead | None = None) -> None:
        self._space_slug = space_slug
        self._index_from = index_from
        self._read = read
        self._counted: dict[ChunkFilter, tuple[float, int]] = {}
        self._table = vectors_table(space_slug)

    def find(self, connection: Connection, vector: NDArray[np.float32], where: ChunkFilter, limit: int) -> Nearest:
        """Find so many of the nearest vectors, or as many as there are. The transaction is the search's own."""
        values = {"query": HalfVector(vector), "space": self._space_slug, **filter_parameters(where)}
        asked = _Asked(connection, values, where, limit)
        read = self._index_for(asked)
        if read is not None:
            found = self._by_index(asked, read)
            if found is not None and len(found) >= limit:
                return Nearest(found, by_index=True)
        return Nearest(self._exactly(asked), by_index=False)

    def _index_for(self, asked: "_Asked") -> IndexRead | None:
        """Give the index that is to be read; None where comparing with each vector is as fast, or there is none."""
        row = asked.connection.execute(_IN_USE, asked.parameters).fetchone()
        read = self._read or (IndexRead(*row) if row else None)
        return read if read is not None and index_pays(self._rows_left(asked), self._index_from) else None

    def _rows_left(self, asked: "_Asked") -> int:
        """Count the vectors that the filter leaves, as of some seconds ago."""
        counted_at, rows = self._counted.get(asked.where, (-_COUNTED_SECONDS, 0))
        if time.monotonic() - counted_at < _COUNTED_SECONDS:
            return rows
        rows = asked.where.chunks if asked.where.chunks is not None else self._count(asked)
        if asked.of_documents != "true":
            shares = sql.SQL(_OF_DOCUMENTS).format(
                about=sql.SQL(asked.of_documents), wanted=sql.SQL(in_partitions(asked.where, "d"))
            )
            (share,) = asked.connection.execute(shares, asked.parameters).fetchone() or (0.0,)
            rows = int(rows * share)
        if len(self._counted) >= 1000:
            self._counted.clear()
        self._counted[asked.where] = time.monotonic(), rows
        return rows

    def _count(self, asked: "_Asked") -> int:
        counts = sql.SQL(_IN_PARTITIONS).format(wanted=sql.SQL(in_partitions(asked.where, "n")))
        (rows,) = asked.connection.execute(counts, asked.parameters).fetchone() or (0,)
        return int(rows)

    def _share(self, asked: "_Asked") -> float:
        """Estimate which share of all vectors the filter leaves."""
        everything = self._rows_left(_Asked(asked.connection, asked.parameters, ChunkFilter(), asked.limit))
        return min(max(self._rows_left(asked), 1) / max(everything, 1), 1.0)

    def _by_index(self, asked: "_Asked", read: IndexRead) -> list[SearchHit] | None:
        """Read the index; None where each vector is to be compared, also because the server refuses the settings.

        Where far fewer of the nearest vectors pass the filter than its share, the question is about other things than
        what passes, and the index finds little of that: it is sparse so far from the question.
        """
        share = self._share(asked)
        needed = max(read.ef_search, asked.limit, math.ceil(_ENOUGH * asked.limit / share))
        ef_search = min(needed, _MOST_EF_SEARCH)
        try:
            if share < 1:
                found = self._read_index(asked, read, {"hnsw.ef_search": str(ef_search), "hnsw.iterative_scan": "off"})
                if len(found) >= asked.limit or len(found) < ef_search * share / _ENOUGH:
                    return found
            return self._read_index(asked, read, {"hnsw.ef_search": str(ef_search)})
        except _REFUSALS as error:
            asked.connection.rollback()
            logger.warning(
                translate(
                    "the server refuses a setting of the index, so that each vector is compared: {error}",
                    error=" ".join(str(error).split()),
                )
            )
            return None

    def _read_index(self, asked: "_Asked", read: IndexRead, settings: dict[str, str]) -> list[SearchHit]:
        _set(asked.connection, {**INDEX_SETTINGS, **settings})
        wanted = [sql.SQL("v.") + always_true(read.generation), *asked.conditions("OFFSET 0")]
        vectors = sql.SQL("{table} v").format(table=self._table)
        return asked.hits(vectors, wanted, "v.embedding <=> %(query)s")

    def _exactly(self, asked: "_Asked") -> list[SearchHit]:
        """Compare each vector that the filter lets through."""
        _set(asked.connection, {"enable_sort": "on", "jit": "off"})
        vectors = sql.SQL("{table} v").format(table=self._table)
        within = in_partitions(asked.where, "n")
        if within != "true" and self._rows_left(asked) < self._index_from:
            vectors = sql.SQL(_OF_PARTITIONS).format(table=self._table, wanted=sql.SQL(within))
        return asked.hits(vectors, asked.conditions(), "distance, v.chunk_id")


class _Asked:
    """A question in its transaction."""

    def __init__(self, connection: Connection, parameters: dict[str, object], where: ChunkFilter, limit: int) -> None:
        self.connection = connection
        self.parameters = parameters
        self.where = where
        self.limit = limit
        self.of_documents = of_documents(where)

    def conditions(self, offset: LiteralString = "") -> list[sql.Composable]:
        """Write what a vector must fulfil; with an offset, the document is asked for vector by vector."""
        conditions: list[sql.Composable] = [sql.SQL(in_partitions(self.where, "v"))]
        if self.of_documents != "true":
            conditions.append(sql.SQL(_ABOUT).format(about=sql.SQL(self.of_documents), offset=sql.SQL(offset)))
        return conditions

    def hits(
        self, vectors: sql.Composable, conditions: Sequence[sql.Composable], order: LiteralString
    ) -> list[SearchHit]:
        """Rank vectors until there are enough whose text is current, or no more."""
        wanted = sql.SQL(" AND ").join(conditions)
        ranked = sql.SQL(_RANKED).format(vectors=vectors, wanted=wanted, order=sql.SQL(order))
        statement = sql.SQL(_HITS).format(ranked=ranked)
        candidates = self.limit + _SPARE
        while True:
            rows = self.connection.execute(statement, {**self.parameters, "candidates": candidates}).fetchall()
            current = sorted((row for row in rows if row[2]), key=lambda row: row[:2])
            if len(current) >= self.limit or len(rows) < candidates:
                return [_hit(row) for row in current[: self.limit]]
            candidates *= _MORE


def _hit(row: TupleRow) -> SearchHit:
    distance, _, _, market, doc_type, stock_code, document, index, text, *about = row
    key = PartitionKey(market, doc_type, stock_code)
    return SearchHit(1 - float(distance), key, document, index, text, *about)


def _set(connection: Connection, settings: dict[str, str]) -> None:
    """Set each for the transaction."""
    calls = sql.SQL(", ").join(
        sql.SQL("set_config({name}, {value}, true)").format(name=sql.Literal(name), value=sql.Literal(value))
        for name, value in settings.items()
    )
    connection.execute(sql.SQL("SELECT {calls}").format(calls=calls))
