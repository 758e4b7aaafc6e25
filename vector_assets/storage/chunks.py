"""Chunks as the loop reads them: counted once, then window by window."""

from bisect import bisect_right
from datetime import datetime
from typing import LiteralString

from ..domain.chunks import Chunk, ChunkPlan, ChunkSelection, ChunkWindow
from ..domain.partition_keys import PartitionKey
from .database import Database, repeatable
from .partition_columns import CHUNK_IN_PARTITION, partition_parameters

# A chunk that failed alone is quarantined: left out until its text changes or its next attempt is due.
PENDING: LiteralString = """
    c.vectorized_at IS NULL AND NOT EXISTS (
        SELECT FROM chunk_failures f
        WHERE f.space = %(space)s AND f.chunk_id = c.id AND f.content_hash = c.content_hash
          AND (f.next_attempt_at IS NULL OR f.next_attempt_at > now()))
"""
_IN_IDS: LiteralString = "c.id = ANY(%(ids)s)"

# Each of these statements goes on with the selection's condition.
# How many chunks the selection holds, and the greatest id: later chunks wait for the next run.
_PLAN: LiteralString = """
SELECT count(*), coalesce(max(c.id), 0)
FROM document_chunks c WHERE
"""
# The next chunks of the selection with their texts.
_READ: LiteralString = """
SELECT c.id, c.market, c.doc_type, c.stock_code, d.source_uri, c.chunk_index, c.text, c.content_hash
FROM document_chunks c JOIN documents d ON d.id = c.document_id
WHERE c.id > %(after_id)s AND c.id <= %(up_to_id)s AND
"""
_BY_ID: LiteralString = " ORDER BY c.id LIMIT %(limit)s"
# When the selection's newest text was written.
_NEWEST: LiteralString = "SELECT max(c.updated_at) FROM document_chunks c WHERE "


class PostgresChunkStore:
    """The `ChunkStore` port. A chunk is pending, or not, in the space with the given slug."""

    def __init__(self, database: Database, space_slug: str) -> None:
        self._database = database
        self._space_slug = space_slug

    @repeatable
    def plan(self, selection: ChunkSelection) -> ChunkPlan:
        """Count what the selection holds now; reads the index of pending chunks, not the table."""
        with self._database.transaction() as connection:
            row = connection.execute(_PLAN + _condition(selection), self._parameters(selection)).fetchone()
        assert row is not None
        return ChunkPlan(chunks=row[0], last_id=row[1])

    @repeatable
    def read_window(self, selection: ChunkSelection, after_id: int, up_to_id: int, limit: int) -> ChunkWindow:
        """Read at most `limit` chunks by id; of a selection by ids, look at the next `limit` ids."""
        parameters = self._parameters(selection)
        parameters |= {"after_id": after_id, "up_to_id": up_to_id, "limit": limit}
        if selection.partition is None:
            start = bisect_right(selection.chunk_ids, after_id)
            ids = selection.chunk_ids[start : start + limit]
            if not ids:
                return ChunkWindow([], None)
            return ChunkWindow(self._read(selection, parameters | {"ids": list(ids)}), ids[-1])
        chunks = self._read(selection, parameters)
        return ChunkWindow(chunks, chunks[-1].id if len(chunks) == limit else None)

    def _read(self, selection: ChunkSelection, parameters: dict[str, object]) -> list[Chunk]:
        with self._database.transaction() as connection:
            rows = connection.execute(_READ + _condition(selection) + _BY_ID, parameters).fetchall()
        return [
            Chunk(id_, PartitionKey(market, doc_type, stock_code), document, index, text, bytes(content_hash))
            for id_, market, doc_type, stock_code, document, index, text, content_hash in rows
        ]

    @repeatable
    def newest_pending_at(self, partition: PartitionKey) -> datetime | None:
        """Find when the last of the partition's pending chunks got its text; None: nothing is pending."""
        selection = ChunkSelection(partition=partition)
        with self._database.transaction() as connection:
            row = connection.execute(_NEWEST + _condition(selection), self._parameters(selection)).fetchone()
        return row[0] if row else None

    def _parameters(self, selection: ChunkSelection) -> dict[str, object]:
        if selection.partition is None:
            return {"space": self._space_slug, "ids": list(selection.chunk_ids)}
        return {"space": self._space_slug, **partition_parameters(selection.partition)}


def _condition(selection: ChunkSelection) -> LiteralString:
    where: LiteralString = _IN_IDS if selection.partition is None else CHUNK_IN_PARTITION
    return where if selection.include_current else where + " AND " + PENDING
