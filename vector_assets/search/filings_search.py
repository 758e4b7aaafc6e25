"""Search as people, notebooks and agents use it: filters by names as they are written, coverage, text around a hit."""

import time
from uuid import UUID

from ..domain.search import ChunkFilter, Passage, SearchableQuestion, SearchAnswer, SearchFilter, SearchHit
from ..errors import ChunkNotFound
from ..search_ports import SearchableChunks
from .filters import chunk_filter
from .search import Search

ANYWHERE = SearchFilter()

# For so long the names that a filter was found to mean are used again: among 5,000 partitions they take 20 ms to find.
_KEPT_SECONDS, _MOST_KEPT = 10.0, 100


class FilingsSearch:
    """Answers questions about filings.

    Args:
        ranking: ranks the chunks that pass a filter.
        chunks: knows the names in filters, and what stands around a hit.
    """

    def __init__(self, ranking: Search, chunks: SearchableChunks) -> None:
        self._ranking = ranking
        self._chunks = chunks
        self._kept: dict[SearchFilter, tuple[float, ChunkFilter]] = {}

    def find(self, question: str, where: SearchFilter = ANYWHERE, limit: int = 5) -> list[SearchHit]:
        """Find the chunks that answer the question best, best first.

        Raises:
            InvalidQuestion: the question has no word or is too long, or the limit is no number of hits.
            InvalidPattern, NothingMatches, NoDocumentHas: the filter names nothing; the message has the nearest names.
            NothingToSearch: no space serves yet.
            WeightsChanged: the model at hand has other weights than the vectors were made with.
        """
        return self._ranking.find(question, self._named(where), limit)

    def answer(self, question: str, where: SearchFilter = ANYWHERE, limit: int = 5) -> SearchAnswer:
        """Find as `find` does, and count how many of the chunks that the filter names can be found by now."""
        named = self._named(where)
        space, hits = self._ranking.ask(question, named, limit)
        return SearchAnswer(hits[:limit], self._chunks.coverage(space.slug, named))

    def question(self, text: str) -> SearchableQuestion:
        """Give what the SQL function search_filings needs: the question's vector in the serving space, and its terms.

        Raises:
            InvalidQuestion: the question has no word or is too long.
            NothingToSearch: no space serves yet.
        """
        return self._ranking.question(text)

    def passage(self, chunk_id: UUID, around: int = 1) -> Passage:
        """Read a hit's chunk with so many chunks of its document before and after it.

        Raises:
            ChunkNotFound: it is not there any more.
        """
        passage = self._chunks.passage(chunk_id, around)
        if passage is None:
            raise ChunkNotFound(chunk_id)
        return passage

    def _named(self, where: SearchFilter) -> ChunkFilter:
        """Spell the filter's names as they are stored, or were some seconds ago."""
        found_at, named = self._kept.get(where, (-_KEPT_SECONDS, ChunkFilter()))
        if time.monotonic() - found_at < _KEPT_SECONDS:
            return named
        named = chunk_filter(where, self._chunks)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[where] = time.monotonic(), named
        return named
