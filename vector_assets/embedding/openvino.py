"""Embeds with OpenVINO on CPUs, without torch: the fast path where there is no GPU."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..domain import EmbeddingSpace, TokenizedText, Vectors
from ..errors import ConversionFailed
from .compiled import CompiledModel
from .conversion import convert, find_conversion
from .devices import Precision
from .models import ModelFolder
from .sentence_transformer import SentenceTransformerEmbedder
from .tokens import TokenCounter

logger = logging.getLogger(__name__)


class OpenVINOEmbedder:
    """The `Embedder` port. A model that OpenVINO cannot serve is served by torch, with a warning that says why.

    Args:
        folder: the model.
        space: what its files say of it.
        counter: its tokenizer.
        cache: where converted models are kept.
        precision: `auto` or `f32`.
        torch_embedder: serves where OpenVINO cannot.
    """

    def __init__(
        self,
        folder: ModelFolder,
        space: EmbeddingSpace,
        counter: TokenCounter,
        cache: Path,
        precision: Precision,
        torch_embedder: SentenceTransformerEmbedder,
    ) -> None:
        self._folder = folder
        self._space = space
        self.counter = counter
        self._cache = cache
        self._precision = precision
        self._torch_embedder = torch_embedder

    @property
    def space(self) -> EmbeddingSpace:
        """The space its vectors live in."""
        return self._space

    @property
    def concurrency(self) -> int:
        """As many calls as the CPU has streams."""
        return self._torch_embedder.concurrency if self._compiled is None else self._compiled.streams

    @property
    def device(self) -> str:
        """What does the work, e.g. `OpenVINO on cpu, bf16`."""
        if self._compiled is None:
            return self._torch_embedder.device
        return f"OpenVINO on cpu, {self._compiled.precision}"

    def load(self) -> None:
        """Load the converted model (half a second), or convert it first (seconds, once)."""
        if self._compiled is None:
            self._torch_embedder.load()

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count what the model will see of each text."""
        return self.counter.tokenize(texts)

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        """Embed document texts in one call: float32 (n, dimension), rows of length 1."""
        if self._compiled is None:
            return self._torch_embedder.embed(texts)
        return self._compiled.embed([text.ids for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question: float32 (dimension,), of length 1."""
        if self._compiled is None:
            return self._torch_embedder.embed_query(text)
        vector: NDArray[np.float32] = self._compiled.embed([self.counter.query_ids(text)])[0]
        return vector

    @cached_property
    def _compiled(self) -> CompiledModel | None:
        """None: torch serves."""
        try:
            conversion = find_conversion(self._cache, self._space)
            if conversion is None:
                logger.info("converting %s for OpenVINO, once; this takes some seconds", self._space.model)
                conversion = convert(self._cache, self._folder, self._space, self._compile)
            return self._compile(conversion.xml, self._cache / "compiled")
        except ConversionFailed as error:
            logger.warning("%s", error)
            return None

    def _compile(self, xml: Path, cache: Path | None = None) -> CompiledModel:
        return CompiledModel(xml, self._space, self.counter.pad_id, self._precision, cache)
