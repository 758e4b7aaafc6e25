"""Embeds with OpenVINO on CPUs, without torch: the fast path where there is no GPU."""

import logging
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...domain.chunks import TokenizedText
from ...domain.spaces import EmbeddingSpace, Vectors
from ...errors import ConversionFailed
from ..devices import Precision
from ..model_files import ModelFolder
from ..token_counter import TokenCounter
from ..torch_embedder import SentenceTransformerEmbedder
from .compiled_model import CompiledModel
from .conversion import conversion_name, convert
from .converted_models import KeptModel, ModelCache
from .int8 import int8_name, make_int8

logger = logging.getLogger(__name__)

# Shorter texts are done without 8 bits: the errors of so few tokens do not cancel out, and they cost little. Of 3,640
# chunks of real filings those of fewer than 5 tokens came to a cosine of 0.9985 with 8 bits, all from 5 up to 0.9991.
_FEW_TOKENS = 16


class OpenVINOEmbedder:
    """The `Embedder` port. A model that OpenVINO cannot serve is served by torch, with a warning that says why.

    Args:
        folder: the model.
        space: what its files say of it.
        counter: its tokenizer.
        cache: where converted models are kept.
        precision: `auto`, `bf16` (no 8-bit products) or `f32`.
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
        self._models = ModelCache(cache, space.model)
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
        """What does the work, e.g. `OpenVINO on cpu, int8 and bf16`."""
        if self._compiled is None:
            return self._torch_embedder.device
        return f"OpenVINO on cpu, {'int8 and ' if self._is_int8 else ''}{self._compiled.precision}"

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
        return self._vectors([text.ids for text in texts])

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Embed a question: float32 (dimension,), of length 1."""
        if self._compiled is None:
            return self._torch_embedder.embed_query(text)
        vector: NDArray[np.float32] = self._vectors([self.counter.query_ids(text)])[0]
        return vector

    def _vectors(self, texts: Sequence[NDArray[np.int32]]) -> Vectors:
        assert self._compiled is not None
        short = [row for row, ids in enumerate(texts) if len(ids) < _FEW_TOKENS] if self._is_int8 else []
        if not short:
            return self._compiled.embed(texts)
        vectors = np.empty((len(texts), self._space.dimension), dtype=np.float32)
        vectors[short] = self._compiled_without_int8.embed([texts[row] for row in short])
        if long := [row for row in range(len(texts)) if len(texts[row]) >= _FEW_TOKENS]:
            vectors[long] = self._compiled.embed([texts[row] for row in long])
        return vectors

    @cached_property
    def _is_int8(self) -> bool:
        """Asked with every batch; the name is made of what OpenVINO says of the CPU, which takes milliseconds."""
        return self._serving is not None and self._serving.folder.name == int8_name(self._space)

    @cached_property
    def _compiled_without_int8(self) -> CompiledModel:
        return self._compile(self._converted().xml, self._precision, self._models.root / "compiled")

    @cached_property
    def _compiled(self) -> CompiledModel | None:
        """None: torch serves."""
        if self._serving is None:
            return None
        return self._compile(self._serving.xml, self._precision, self._models.root / "compiled")

    @cached_property
    def _serving(self) -> KeptModel | None:
        try:
            return self._fastest() if self._precision == "auto" else self._converted()
        except ConversionFailed as error:
            logger.warning("%s", error)
            return None

    def _fastest(self) -> KeptModel:
        """With 8-bit products where that is worth it, as converted otherwise.

        Raises:
            ConversionFailed: the model cannot be converted.
        """
        name = int8_name(self._space)
        try:
            if (found := self._models.find(name)) is not None:
                return found
        except ConversionFailed:  # found out before
            return self._converted()
        converted = self._converted()
        try:
            logger.info(
                "seeing whether 8-bit products serve %s on this CPU, once (up to half a minute) ...", self._space.model
            )
            make = partial(make_int8, exact=converted, counter=self.counter, compile_=self._compile)
            return self._models.keep(name, self._folder.weight_bytes, make)
        except ConversionFailed as error:
            logger.info("%s stays in the precision it was converted to: %s", self._space.model, error.reason)
            return converted

    def _converted(self) -> KeptModel:
        """In float32, which the CPU may do in bfloat16.

        Raises:
            ConversionFailed: OpenVINO cannot serve the model.
        """
        name = conversion_name(self._space)
        if (found := self._models.find(name)) is not None:
            return found
        logger.info("converting %s for OpenVINO, once (some seconds) ...", self._space.model)
        make = partial(convert, folder=self._folder, space=self._space, compile_=self._compile)
        return self._models.keep(name, 3 * self._folder.weight_bytes, make)

    def _compile(self, xml: Path, precision: Precision = "auto", cache: Path | None = None) -> CompiledModel:
        return CompiledModel(xml, self._space, self.counter.pad_id, precision, cache)
