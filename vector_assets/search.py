"""Answers a question with the nearest chunks: question -> vector -> chunks, in the space that serves at that moment."""

from collections.abc import Callable
from typing import NamedTuple

from .domain.search import SearchFilter, SearchHit
from .domain.spaces import EmbeddingSpace
from .errors import InvalidSetting, NothingToSearch, SpaceNotFound
from .ports import Embedder, ServingSpace, VectorStore


class Searcher(NamedTuple):
    """What answers questions in one embedding space."""

    embedder: Embedder
    vectors: VectorStore


class Search:
    """Exact cosine search in the serving embedding space.

    Args:
        spaces: says which space serves.
        searcher_of: makes what answers questions in a space. The one of the last question is kept.
    """

    def __init__(self, spaces: ServingSpace, searcher_of: Callable[[EmbeddingSpace], Searcher]) -> None:
        self._spaces = spaces
        self._searcher_of = searcher_of
        self._last: tuple[EmbeddingSpace, Searcher] | None = None

    def find(self, question: str, where: SearchFilter | None = None, limit: int = 5) -> list[SearchHit]:
        """Find the nearest chunks, best first.

        Raises:
            InvalidSetting: the question is blank, or the limit is below 1.
            NothingToSearch: no space serves yet.
            WeightsChanged: the model at hand has other weights than the vectors were made with.
        """
        if not question.strip():
            raise InvalidSetting("TEXT", "the question is blank", "Say what to look for.")
        if limit < 1:
            raise InvalidSetting("--limit", f"{limit} is below 1", "Give a positive number, e.g. 5.")
        while True:
            space = self._spaces.serving()
            if space is None:
                raise NothingToSearch
            try:
                embedder, vectors = self._searcher(space)
                return vectors.nearest(embedder.embed_query(question), where or SearchFilter(), limit)
            except SpaceNotFound:
                # Another space serves since, and this one was dropped.
                if self._spaces.serving() == space:
                    raise

    def _searcher(self, space: EmbeddingSpace) -> Searcher:
        if self._last is None or self._last[0] != space:
            self._last = space, self._searcher_of(space)
        return self._last[1]
