"""Search as people, notebooks and agents use it: filters by names as they are written, coverage, text around a hit."""

from uuid import UUID

from ..domain.search import Passage, SearchableQuestion, SearchAnswer, SearchFilter, SearchHit
from ..errors import ChunkNotFound
from ..ports import SearchableChunks
from .filters import chunk_filter
from .search import Search

ANYWHERE = SearchFilter()


class FilingsSearch:
    """Answers questions about filings.

    Args:
        ranking: ranks the chunks that pass a filter.
        chunks: knows the names in filters, and what stands around a hit.
    """

    def __init__(self, ranking: Search, chunks: SearchableChunks) -> None:
        self._ranking = ranking
        self._chunks = chunks

    def find(self, question: str, where: SearchFilter = ANYWHERE, limit: int = 5) -> list[SearchHit]:
        """Find the chunks that answer the question best, best first.

        Raises:
            InvalidQuestion: the question has no word or is too long, or the limit is no number of hits.
            InvalidPattern, NothingMatches, NoDocumentHas: the filter names nothing; the message has the nearest names.
            NothingToSearch: no space serves yet.
            WeightsChanged: the model at hand has other weights than the vectors were made with.
        """
        return self._ranking.find(question, chunk_filter(where, self._chunks), limit)

    def answer(self, question: str, where: SearchFilter = ANYWHERE, limit: int = 5) -> SearchAnswer:
        """Find as `find` does, and count how many of the chunks that the filter names can be found by now."""
        named = chunk_filter(where, self._chunks)
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
