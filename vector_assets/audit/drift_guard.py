"""Whether the embedder still makes the vectors that its space holds."""

from collections.abc import Callable

from ..domain.spaces import EmbeddingSpace, Vectors
from ..errors import EmbedderBroken, EmbedderBusy, EmbedderDrifted, EmbedderRefused, ServerModelChanged
from ..ports import Embedder, ReferenceVectorStore
from ..quality.drift import REFERENCE_TEXTS, REFERENCE_TEXTS_DIGEST, DriftResult, compare_reference_vectors


class DriftGuard:
    """Compares the embedder's vectors of the reference texts with the stored ones, once, before a vector is stored."""

    def __init__(
        self,
        embedder: Embedder,
        reference_vectors: ReferenceVectorStore,
        space: EmbeddingSpace,
        min_cosine: float,
        register: Callable[[EmbeddingSpace], None] = lambda _: None,
    ) -> None:
        self._embedder = embedder
        self._reference_vectors = reference_vectors
        self._space = space
        self._min_cosine = min_cosine
        self._register = register
        self.result: DriftResult | None = None
        """None until the first check that passed."""

    def check(self) -> None:
        """Compare once. A space without reference vectors gets these, for later runs to compare with.

        `register` is called before, when the embedder has embedded a text: no other model gets a space.

        Raises:
            EmbedderDrifted: a changed library, arithmetic, device or file gives other vectors.
            ServerModelChanged: a server says that it runs another model.
            EmbedderBroken: the embedder fails on the reference texts.
            EmbedderBusy, EmbedderRefused: a server cannot answer now, or refuses to.
        """
        if self.result is not None:
            return
        if self._space.provider and self._embedder.space.weights_digest != self._space.weights_digest:
            raise ServerModelChanged(self._space.model, self._embedder.device)
        now = self._embed()
        self._register(self._space)
        self.result = self._compare(now)

    def check_again(self) -> None:
        """Compare after a run: a server may have exchanged the model meanwhile.

        Raises:
            EmbedderDrifted, EmbedderBroken, EmbedderBusy, EmbedderRefused: as `check`.
        """
        self._compare(self._embed())

    def _compare(self, now: Vectors) -> DriftResult:
        """Compare with the vectors that the space has; it gets these, if it has none.

        Raises:
            EmbedderDrifted: they differ.
        """
        kept = self._reference_vectors.kept(self._space.slug, REFERENCE_TEXTS_DIGEST, self._space.dimension)
        if kept is None:
            self._reference_vectors.keep(self._space.slug, REFERENCE_TEXTS_DIGEST, now, self._embedder.device)
            return compare_reference_vectors(now, now, self._min_cosine)
        result = compare_reference_vectors(kept.vectors, now, self._min_cosine)
        if result.drifted:
            raise EmbedderDrifted(self._space.model, result.lowest, kept.device, self._embedder.device)
        return result

    def _embed(self) -> Vectors:
        try:
            return self._embedder.embed(self._embedder.tokenize(REFERENCE_TEXTS))
        except (EmbedderBusy, EmbedderRefused):
            raise
        except Exception as error:
            raise EmbedderBroken(self._space.model, error) from error
