"""Chunks in memory, as the loop reads them."""

from bisect import bisect_right

from vector_assets.domain.chunks import Chunk, ChunkPlan, ChunkSelection, ChunkWindow

from .database import ChunkRow, MemoryDatabase


class MemoryChunkStore:
    """The `ChunkStore` port."""

    def __init__(self, database: MemoryDatabase, space_slug: str) -> None:
        self._database = database
        self._space_slug = space_slug

    def plan(self, selection: ChunkSelection) -> ChunkPlan:
        """Count what the selection holds now."""
        with self._database.lock:
            ids = [chunk.id for chunk in self._database.chunks.values() if self._is_selected(chunk, selection)]
        return ChunkPlan(len(ids), max(ids, default=0))

    def read_window(self, selection: ChunkSelection, after_id: int, up_to_id: int, limit: int) -> ChunkWindow:
        """Of a selection by ids, look at the next `limit` ids."""
        if selection.partition is None:
            start = bisect_right(selection.chunk_ids, after_id)
            ids = selection.chunk_ids[start : start + limit]
            if not ids:
                return ChunkWindow([], None)
            selection = ChunkSelection(chunk_ids=ids, include_current=selection.include_current)
            return ChunkWindow(self._read(selection, after_id, up_to_id), ids[-1])
        chunks = self._read(selection, after_id, up_to_id)[:limit]
        return ChunkWindow(chunks, chunks[-1].id if len(chunks) == limit else None)

    def _read(self, selection: ChunkSelection, after_id: int, up_to_id: int) -> list[Chunk]:
        with self._database.lock:
            found = [
                self._chunk(chunk)
                for chunk in self._database.chunks.values()
                if after_id < chunk.id <= up_to_id and self._is_selected(chunk, selection)
            ]
        return sorted(found, key=lambda chunk: chunk.id)

    def _is_selected(self, chunk: ChunkRow, selection: ChunkSelection) -> bool:
        if selection.partition is None and chunk.id not in selection.chunk_ids:
            return False
        if selection.partition is not None and chunk.partition != selection.partition:
            return False
        return selection.include_current or self._database.is_pending(chunk, self._space_slug)

    def _chunk(self, row: ChunkRow) -> Chunk:
        document = self._database.document_of(row).source_uri
        return Chunk(row.id, row.partition, document, row.chunk_index, row.text, row.content_hash)
