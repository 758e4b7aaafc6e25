"""What search asks of chunks besides vectors and terms, in memory."""

from collections import Counter
from uuid import UUID

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.search import ChunkFilter, Passage, SearchCoverage

from .database import ChunkRow, MemoryDatabase


class MemorySearchableChunks:
    """The `SearchableChunks` port."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    def partitions(self) -> dict[PartitionKey, int]:
        """Those that have chunks."""
        return Counter(chunk.partition for chunk in self._database.chunks.values())

    def periods_and_languages(self) -> set[tuple[str, str]]:
        """Of all documents."""
        return {(row.document.period, row.document.language) for row in self._database.documents.values()}

    def coverage(self, space_slug: str, where: ChunkFilter) -> SearchCoverage:
        """Whatever the status of the space."""
        found = [chunk for chunk in self._database.chunks.values() if self._passes(chunk, where)]
        vectors = self._database.vectors[space_slug]
        current = [
            chunk for chunk in found if chunk.id in vectors and vectors[chunk.id].content_hash == chunk.content_hash
        ]
        return SearchCoverage(len(found), len(current))

    def passage(self, chunk_id: UUID, around: int) -> Passage | None:
        """A slice of the document's text."""
        hit = self._database.chunks.get(chunk_id)
        if hit is None:
            return None
        document = self._database.document_of(hit)
        chunks = self._database.chunks_of(hit.document_id)
        near = [chunk for chunk in chunks if abs(chunk.chunk_index - hit.chunk_index) <= around]
        first, last = near[0], near[-1]
        about = (document.company_name, document.title, document.period, document.language)
        text = document.text[first.position.char_from : last.position.char_to]
        place = (first.chunk_index, last.chunk_index, first.position.page_from, last.position.page_to)
        return Passage(hit.partition, document.source_uri, *about, *place, text)

    def _passes(self, chunk: ChunkRow, where: ChunkFilter) -> bool:
        document = self._database.document_of(chunk)
        return passes(where, chunk.partition, document.period, document.language)


def passes(where: ChunkFilter, key: PartitionKey, period: str, language: str) -> bool:
    """Whether a chunk of these values passes a filter."""
    wanted = [
        (where.markets, key.market),
        (where.doc_types, key.doc_type),
        (where.stock_codes, key.stock_code),
        (where.periods, period),
        (where.languages, language),
        (where.partitions, key),
    ]
    return all(not names or value in names for names, value in wanted)
