"""Chunks as the loop reads them: the selected ones of the queue of a space, window by window."""

from bisect import bisect_right
from datetime import datetime
from functools import cache
from typing import Any, LiteralString
from uuid import UUID

from psycopg import sql

from ..domain.chunks import Chunk, ChunkSelection, ChunkWindow
from ..domain.partition_keys import PartitionKey
from .database import Database, repeatable
from .partition_columns import CHUNK_IN_PARTITION, partition_parameters
from .spaces import is_live, vectors_table

# The queue's row of a chunk in a space. All columns of the key are compared, so that it is found by its index.
QUEUED: LiteralString = """
(p.space, p.market, p.doc_type, p.stock_code, p.chunk_id)
    = (%(space)s, c.market, c.doc_type, c.stock_code, c.id)
"""
# A chunk that failed once is pending and waits for its second attempt. For a quarantined one that is never.
DUE: LiteralString = "p.next_attempt_at <= now()"

_PENDING_IN_PARTITION: LiteralString = f"""
p.space = %(space)s AND {DUE}
AND (p.market, p.doc_type, p.stock_code) = (%(market)s, %(doc_type)s, %(stock_code)s)
"""
_PENDING_IN_IDS: LiteralString = f"{QUEUED} AND {DUE} AND c.id = ANY(%(ids)s)"

_COUNT: LiteralString = "SELECT count(*) FROM pending_chunks p WHERE "
_COUNT_WITH_CHUNKS: LiteralString = "SELECT count(*) FROM pending_chunks p, document_chunks c WHERE "
_COUNT_ALL: LiteralString = "SELECT count(*) FROM document_chunks c WHERE "

# The next chunks of a partition, as many as fit into so many bytes of text, but at least one. The lengths are read
# first: a text that is not needed stays where it is.
_READ_PARTITION: LiteralString = f"""
WITH next AS MATERIALIZED (
    SELECT c.id, sum(octet_length(c.text)) OVER (ORDER BY c.id) - octet_length(c.text) AS bytes_before
    FROM (SELECT chunk_id FROM pending_chunks p
          WHERE {_PENDING_IN_PARTITION} AND p.chunk_id > %(after_id)s
          ORDER BY p.chunk_id LIMIT %(limit)s) queued
    JOIN document_chunks c ON c.id = queued.chunk_id
)
SELECT c.id, c.market, c.doc_type, c.stock_code, d.source_uri, c.chunk_index, c.text, c.content_hash,
       (SELECT count(*) FROM next)
FROM next n JOIN document_chunks c ON c.id = n.id JOIN documents d ON d.id = c.document_id
WHERE n.bytes_before < %(most_bytes)s
ORDER BY c.id
"""
# Those of the given ids that are pending, with the same limit of bytes.
_READ_IDS: LiteralString = f"""
WITH next AS MATERIALIZED (
    SELECT c.id, sum(octet_length(c.text)) OVER (ORDER BY c.id) - octet_length(c.text) AS bytes_before
    FROM document_chunks c JOIN pending_chunks p ON {_PENDING_IN_IDS}
)
SELECT c.id, c.market, c.doc_type, c.stock_code, d.source_uri, c.chunk_index, c.text, c.content_hash,
       (SELECT count(*) FROM next)
FROM next n JOIN document_chunks c ON c.id = n.id JOIN documents d ON d.id = c.document_id
WHERE n.bytes_before < %(most_bytes)s
ORDER BY c.id
"""
# When the partition's newest pending text was written.
_NEWEST: LiteralString = f"""
SELECT max(c.updated_at) FROM pending_chunks p JOIN document_chunks c ON c.id = p.chunk_id
WHERE {_PENDING_IN_PARTITION}
"""
_NEWEST_OF_ALL: LiteralString = f"SELECT max(c.updated_at) FROM document_chunks c WHERE {CHUNK_IN_PARTITION}"

# Put chunks into the queue although they have a current vector: those that this run has not tried, and at most so many
# that the run has tried as many as the limit in the end. The oldest vectors and failures come first, so that the next
# run with a limit goes on where this one stops. The chunks are held, and those that somebody changes or deletes at this
# moment are passed over: a row that came into the queue with a former text, or without a chunk, would stay there for
# ever. With a new text a chunk is pending anyway.
_QUEUE_AGAIN: LiteralString = """
INSERT INTO pending_chunks AS p (space, market, doc_type, stock_code, chunk_id, content_hash)
SELECT %(space)s, c.market, c.doc_type, c.stock_code, c.id, c.content_hash
FROM document_chunks c LEFT JOIN {table} v ON v.chunk_id = c.id AND v.content_hash = c.content_hash
LEFT JOIN pending_chunks q ON (q.space, q.market, q.doc_type, q.stock_code, q.chunk_id)
                              = (%(space)s, c.market, c.doc_type, c.stock_code, c.id)
WHERE {within} AND v.run_id IS DISTINCT FROM %(run_id)s AND q.run_id IS DISTINCT FROM %(run_id)s
ORDER BY greatest(v.created_at, q.failed_at) NULLS FIRST, c.id
LIMIT CASE WHEN %(limit)s::bigint IS NOT NULL THEN
    greatest(%(limit)s - (SELECT count(*) FROM {table} v JOIN document_chunks c ON c.id = v.chunk_id
                          WHERE {within} AND v.run_id = %(run_id)s)
                       - (SELECT count(*) FROM pending_chunks p JOIN document_chunks c ON {queued}
                          WHERE {within} AND p.attempts > 0 AND p.run_id = %(run_id)s), 0) END
FOR SHARE OF c SKIP LOCKED
ON CONFLICT (space, market, doc_type, stock_code, chunk_id) DO UPDATE SET next_attempt_at = '-infinity'
"""
_IN_IDS: LiteralString = "c.id = ANY(%(ids)s)"

# The texts of a window, which are in memory several times over: as read, as tokens, and in the batches.
_MOST_BYTES = 16 << 20


class PostgresChunkStore:
    """The `ChunkStore` port over the queue of one space."""

    def __init__(self, database: Database, space_slug: str) -> None:
        self._database = database
        self._space_slug = space_slug

    @repeatable
    def count_pending(self, selection: ChunkSelection) -> int:
        """Count what the selection holds now; reads the queue's index, not the chunks.

        A space that is not registered yet has no queue: there, every chunk is pending.
        """
        with self._database.transaction() as connection:
            if not is_live(connection, self._space_slug):
                query = _COUNT_ALL + _within(selection)
            elif selection.partition is None:
                query = _COUNT_WITH_CHUNKS + _PENDING_IN_IDS
            else:
                query = _COUNT + _PENDING_IN_PARTITION
            row = connection.execute(query, self._parameters(selection)).fetchone()
        assert row is not None
        return int(row[0])

    @repeatable
    def queue_again(self, selection: ChunkSelection, run_id: str, limit: int | None) -> None:
        """Queue all chunks of the selection, or as many as are missing from `limit`, but those that the run has tried.

        Those that failed in other runs become due. In a space that is not registered yet, nothing is to be done.
        """
        query = sql.SQL(_QUEUE_AGAIN).format(
            table=vectors_table(self._space_slug), within=sql.SQL(_within(selection)), queued=sql.SQL(QUEUED)
        )
        parameters = {**self._parameters(selection), "run_id": run_id, "limit": limit}
        with self._database.transaction() as connection:
            if is_live(connection, self._space_slug):
                connection.execute(query, parameters)

    @repeatable
    def read_window(self, selection: ChunkSelection, after_id: UUID, limit: int) -> ChunkWindow:
        """Read at most `limit` chunks by id, and no more text than fits the memory of a run, but at least one.

        Of a selection by ids, look at the next `limit` ids.
        """
        parameters = {**self._parameters(selection), "after_id": after_id, "limit": limit}
        if selection.partition is not None:
            chunks, found = self._read(_READ_PARTITION, parameters)
            return ChunkWindow(chunks, chunks[-1].id if len(chunks) < found or found == limit else None)
        start = bisect_right(selection.chunk_ids, after_id)
        ids = selection.chunk_ids[start : start + limit]
        if not ids:
            return ChunkWindow([], None)
        chunks, found = self._read(_READ_IDS, parameters | {"ids": list(ids)})
        return ChunkWindow(chunks, chunks[-1].id if len(chunks) < found else ids[-1])

    def _read(self, query: LiteralString, parameters: dict[str, Any]) -> tuple[list[Chunk], int]:
        """Read chunks as far as their texts fit, and count all that the query found."""
        with self._database.transaction() as connection:
            rows = connection.execute(query, {**parameters, "most_bytes": _MOST_BYTES}).fetchall()
        key = cache(PartitionKey)  # it checks its parts, and mostly all chunks have the same
        chunks = [
            Chunk(id_, key(market, doc_type, stock_code), document, index, text, bytes(content_hash))
            for id_, market, doc_type, stock_code, document, index, text, content_hash, _ in rows
        ]
        return chunks, rows[0][-1] if rows else 0

    @repeatable
    def newest_pending_at(self, partition: PartitionKey) -> datetime | None:
        """Find when the last of the partition's pending chunks got its text; None: nothing is pending.

        In a space that is not registered yet, every chunk is pending.
        """
        selection = ChunkSelection(partition=partition)
        with self._database.transaction() as connection:
            query = _NEWEST if is_live(connection, self._space_slug) else _NEWEST_OF_ALL
            row = connection.execute(query, self._parameters(selection)).fetchone()
        return row[0] if row else None

    def _parameters(self, selection: ChunkSelection) -> dict[str, object]:
        if selection.partition is None:
            return {"space": self._space_slug, "ids": list(selection.chunk_ids)}
        return {"space": self._space_slug, **partition_parameters(selection.partition)}


def _within(selection: ChunkSelection) -> LiteralString:
    return _IN_IDS if selection.partition is None else CHUNK_IN_PARTITION
