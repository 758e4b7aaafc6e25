"""Does the embedder still make the vectors that it made? Asked once, before the first vector of a process is stored."""

from .domain.spaces import EmbeddingSpace, Vectors
from .errors import EmbedderBroken, EmbedderDrifted
from .ports import Embedder, ReferenceVectorStore
from .quality.drift import MIN_COSINE, REFERENCE_TEXTS, REFERENCE_TEXTS_DIGEST, DriftResult, compare_reference_vectors


class DriftGuard:
    """Embeds a few fixed texts and compares them with what the space keeps of them; `least` is the lowest cosine."""

    def __init__(
        self,
        embedder: Embedder,
        reference_vectors: ReferenceVectorStore,
        space: EmbeddingSpace,
        least: float = MIN_COSINE,
    ) -> None:
        self._embedder = embedder
        self._reference_vectors = reference_vectors
        self._space = space
        self._least = least
        self.result: DriftResult | None = None
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
        kept = self._reference_vectors.kept(self._space.slug, REFERENCE_TEXTS_DIGEST, self._space.dimension)
        if kept is None:
            self._reference_vectors.keep(self._space.slug, REFERENCE_TEXTS_DIGEST, now, self._embedder.device)
            self.result = compare_reference_vectors(now, now, self._least)
            return
        result = compare_reference_vectors(kept.vectors, now, self._least)
        if result.drifted:
            raise EmbedderDrifted(self._space.model, result.lowest, kept.device, self._embedder.device)
        self.result = result

    def _embedded(self) -> Vectors:
        try:
            return self._embedder.embed(self._embedder.tokenize(REFERENCE_TEXTS))
        except Exception as error:
            raise EmbedderBroken(self._space.model, error) from error
