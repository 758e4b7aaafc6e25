"""Does the embedder still make the vectors that it made? Asked once, before the first vector of a process is stored."""

from .domain.spaces import EmbeddingSpace, Vectors
from .errors import EmbedderBroken, EmbedderDrifted
from .ports import CanaryStore, Embedder
from .quality.drift import CANARY_DIGEST, CANARY_TEXTS, LEAST_COSINE, CanaryResult, compare_canaries


class DriftWatch:
    """Embeds a few fixed texts and compares them with what the space keeps of them; `least` is the lowest cosine."""

    def __init__(
        self, embedder: Embedder, canaries: CanaryStore, space: EmbeddingSpace, least: float = LEAST_COSINE
    ) -> None:
        self._embedder = embedder
        self._canaries = canaries
        self._space = space
        self._least = least
        self.result: CanaryResult | None = None
        """None until the first check."""

    def check(self) -> None:
        """Compare once; the vectors of a space that has none yet are kept, for the runs to come.

        Raises:
            EmbedderDrifted: a changed library, arithmetic, device or file gives other vectors.
            EmbedderBroken: it fails on them.
        """
        if self.result is not None:
            return
        now = self._embedded()
        kept = self._canaries.kept(self._space.slug, CANARY_DIGEST, self._space.dimension)
        if kept is None:
            self._canaries.keep(self._space.slug, CANARY_DIGEST, now, self._embedder.device)
            self.result = compare_canaries(now, now, self._least)
            return
        result = compare_canaries(kept.vectors, now, self._least)
        if result.drifted:
            raise EmbedderDrifted(self._space.model, result.lowest, kept.device, self._embedder.device)
        self.result = result

    def _embedded(self) -> Vectors:
        try:
            return self._embedder.embed(self._embedder.tokenize(CANARY_TEXTS))
        except Exception as error:
            raise EmbedderBroken(self._space.model, error) from error
