"""Chunks as the loop reads them: counted once, then window by window."""

from bisect import bisect_right
from datetime import datetime
from typing import LiteralString

from ..domain.chunks import Chunk, ChunkPlan, ChunkSelection, ChunkWindow
from ..domain.partition_keys import PartitionKey
from .database import Database, repeatable

# A chunk that failed alone is listed and left out until its text changes or its next attempt is due.
PENDING: LiteralString = """
    c.vectorized_at IS NULL AND NOT EXISTS (
        SELECT FROM chunk_failures f
        WHERE f.space = %(space)s AND f.chunk_id = c.id AND f.content_hash = c.content_hash
          AND (f.next_attempt_at IS NULL OR f.next_attempt_at > now()))
"""
_IN_PARTITION: LiteralString = "(c.market, c.doc_type, c.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)"
_IN_IDS: LiteralString = "c.id = ANY(%(ids)s)"

_PLAN: LiteralString = """
SELECT count(*), coalesce(max(c.id), 0)
FROM document_chunks c WHERE
"""
_READ: LiteralString = """
SELECT c.id, c.market, c.doc_type, c.stock_code, d.source_uri, c.chunk_index, c.text, c.content_hash
FROM document_chunks c JOIN documents d ON d.id = c.document_id
WHERE c.id > %(after_id)s AND c.id <= %(up_to_id)s AND
"""
_BY_ID: LiteralString = " ORDER BY c.id LIMIT %(limit)s"
_NEWEST: LiteralString = "SELECT max(c.updated_at) FROM document_chunks c WHERE "


class PostgresChunkStore:
    """The `ChunkStore` port. "Pending" is meant in the space with the given slug."""

    def __init__(self, database: Database, space_slug: str) -> None:
        self._database = database
        self._space_slug = space_slug

    @repeatable
    def plan(self, selection: ChunkSelection) -> ChunkPlan:
        """Count what the selection holds now; reads the pending index, not the table."""
        parameters = self._parameters(selection, selection.chunk_ids)
        with self._database.transaction() as connection:
            row = connection.execute(_PLAN + _condition(selection), parameters).fetchone()
        assert row is not None
        return ChunkPlan(chunks=row[0], last_id=row[1])

    @repeatable
    def read_window(self, selection: ChunkSelection, after_id: int, up_to_id: int, limit: int) -> ChunkWindow:
        """Read at most `limit` chunks by id; of a selection by ids, look at the next `limit` ids."""
        ids = selection.chunk_ids
        if selection.partition is None:
            start = bisect_right(ids, after_id)
            ids = ids[start : start + limit]
            if not ids:
                return ChunkWindow([], None)
        parameters = self._parameters(selection, ids)
        parameters |= {"after_id": after_id, "up_to_id": up_to_id, "limit": limit}
        with self._database.transaction() as connection:
            rows = connection.execute(_READ + _condition(selection) + _BY_ID, parameters).fetchall()
        chunks = [
            Chunk(id_, PartitionKey(market, doc_type, stock_code), document, index, text, bytes(content_hash))
            for id_, market, doc_type, stock_code, document, index, text, content_hash in rows
        ]
        if selection.partition is None:
            return ChunkWindow(chunks, ids[-1])
        return ChunkWindow(chunks, chunks[-1].id if len(chunks) == limit else None)

    @repeatable
    def newest_pending_at(self, partition: PartitionKey) -> datetime | None:
        """When the last of the partition's pending chunks got its text; None: nothing is pending."""
        selection = ChunkSelection(partition=partition)
        with self._database.transaction() as connection:
            row = connection.execute(_NEWEST + _condition(selection), self._parameters(selection, ())).fetchone()
        return row[0] if row else None

    def _parameters(self, selection: ChunkSelection, ids: tuple[int, ...]) -> dict[str, object]:
        parameters: dict[str, object] = {"space": self._space_slug}
        if selection.partition is None:
            return parameters | {"ids": list(ids)}
        key = selection.partition
        return parameters | {"market": key.market, "doc_type": key.doc_type, "stock_code": key.stock_code}


def _condition(selection: ChunkSelection) -> LiteralString:
    where: LiteralString = _IN_IDS if selection.partition is None else _IN_PARTITION
    return where if selection.include_current else where + " AND " + PENDING
