"""Answers a question with the nearest chunks: question -> vector -> chunks."""

from .domain.search import SearchFilter, SearchHit
from .errors import InvalidSetting
from .ports import Embedder, VectorStore


class Search:
    """Exact cosine search in one embedding space."""

    def __init__(self, embedder: Embedder, vectors: VectorStore) -> None:
        self._embedder = embedder
        self._vectors = vectors

    def find(self, question: str, where: SearchFilter | None = None, limit: int = 5) -> list[SearchHit]:
        """Find the nearest chunks, best first.

        Raises:
            InvalidSetting: the question is blank, or the limit is below 1.
        """
        if not question.strip():
            raise InvalidSetting("TEXT", "the question is blank", "Say what to look for.")
        if limit < 1:
            raise InvalidSetting("--limit", f"{limit} is below 1", "Give a positive number, e.g. 5.")
        return self._vectors.nearest(self._embedder.embed_query(question), where or SearchFilter(), limit)
