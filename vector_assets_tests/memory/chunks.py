"""Chunks in memory, as the loop reads them."""

from bisect import bisect_right
from datetime import UTC, datetime
from uuid import UUID

from vector_assets.domain.chunks import Chunk, ChunkSelection, ChunkWindow

from .database import ChunkRow, MemoryDatabase, QueueRow, VectorRow


class MemoryChunkStore:
    """The `ChunkStore` port."""

    def __init__(self, database: MemoryDatabase, space_slug: str) -> None:
        self._database = database
        self._space_slug = space_slug

    def count_pending(self, selection: ChunkSelection) -> int:
        """Count what the selection holds now."""
        with self._database.lock:
            return len(self._pending(selection))

    def queue_again(self, selection: ChunkSelection, run_id: str, limit: int | None) -> None:
        """Those with the oldest vectors first."""
        with self._database.lock:
            if not self._database.is_live(self._space_slug):
                return
            vectors, queue = self._database.vectors[self._space_slug], self._database.queues[self._space_slug]
            found = [(chunk, vectors.get(chunk.id)) for chunk in self._selected(selection)]
            done = [chunk.id for chunk, row in found if row and _is_of(row.content_hash, row.run_id, chunk, run_id)]
            done += [chunk.id for chunk, _ in found if (row := queue.get(chunk.id)) and row.run_id == run_id]
            others = [(chunk, row) for chunk, row in found if chunk.id not in done]
            others.sort(key=lambda item: (self._last_attempt(*item), item[0].id))
            for chunk, _ in others[: None if limit is None else max(limit - len(done), 0)]:
                row = queue.setdefault(chunk.id, QueueRow(chunk.partition, chunk.content_hash))
                row.next_attempt_at = row.pending_since

    def _last_attempt(self, chunk: ChunkRow, vector: VectorRow | None) -> datetime:
        queued = self._database.queues[self._space_slug].get(chunk.id)
        moments = (vector and vector.created_at, queued and queued.failed_at)
        return max((moment for moment in moments if moment), default=datetime.min.replace(tzinfo=UTC))

    def read_window(self, selection: ChunkSelection, after_id: UUID, limit: int) -> ChunkWindow:
        """Of a selection by ids, look at the next `limit` ids."""
        if selection.partition is None:
            start = bisect_right(selection.chunk_ids, after_id)
            ids = selection.chunk_ids[start : start + limit]
            if not ids:
                return ChunkWindow([], None)
            return ChunkWindow(self._read(ChunkSelection(chunk_ids=ids), after_id), ids[-1])
        chunks = self._read(selection, after_id)[:limit]
        return ChunkWindow(chunks, chunks[-1].id if len(chunks) == limit else None)

    def _read(self, selection: ChunkSelection, after_id: UUID) -> list[Chunk]:
        with self._database.lock:
            found = [self._chunk(chunk) for chunk in self._pending(selection) if chunk.id > after_id]
        return sorted(found, key=lambda chunk: chunk.id)

    def _pending(self, selection: ChunkSelection) -> list[ChunkRow]:
        return [chunk for chunk in self._selected(selection) if self._database.is_due(chunk, self._space_slug)]

    def _selected(self, selection: ChunkSelection) -> list[ChunkRow]:
        chunks = self._database.chunks
        if selection.partition is None:
            return [chunks[id_] for id_ in selection.chunk_ids if id_ in chunks]
        return [chunk for chunk in chunks.values() if chunk.partition == selection.partition]

    def _chunk(self, row: ChunkRow) -> Chunk:
        document = self._database.document_of(row).source_uri
        return Chunk(row.id, row.partition, document, row.chunk_index, row.text, row.content_hash)


def _is_of(content_hash: bytes, run_id: str, chunk: ChunkRow, asked: str) -> bool:
    return (content_hash, run_id) == (chunk.content_hash, asked)
