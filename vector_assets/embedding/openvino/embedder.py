"""Embeds with OpenVINO on CPUs, without torch: the fast way where there is no GPU."""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...domain.chunks import TokenizedText
from ...domain.spaces import EmbeddingSpace, Vectors
from ...errors import ConversionFailed, ModelError
from ...translation import translate
from ..devices import Precision
from ..model_files import ModelFolder
from ..model_options import leaves_prompt_out
from ..token_counter import TokenCounter
from ..torch_embedder import SentenceTransformerEmbedder
from .compiled_model import CompiledModel
from .conversion import conversion_name, convert
from .converted_models import ConvertedModel, ModelCache

logger = logging.getLogger(__name__)


class OpenVINOEmbedder:
    """The `Embedder` port. Where OpenVINO cannot run the model, torch does, and a warning says why.

    Args:
        folder: the model.
        space: what the model's files say about it.
        counter: its tokenizer.
        cache: the folder where converted models are kept.
        precision: `auto` or `f32`.
        torch_embedder: embeds where OpenVINO cannot.
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
        """The embedding space of its vectors."""
        return self._space

    @property
    def concurrency(self) -> int:
        """How many calls run at once: as many as OpenVINO has streams for on this CPU."""
        return self._torch_embedder.concurrency if self._compiled is None else self._compiled.streams

    @property
    def device(self) -> str:
        """What runs the model, and in which precision, e.g. `OpenVINO on cpu, bf16`; loads the model."""
        if self._compiled is None:
            return self._torch_embedder.device
        return f"OpenVINO on cpu, {self._compiled.precision}"

    @property
    def tokens_used(self) -> None:
        """No server is asked."""

    def load(self) -> None:
        """Load the converted model (half a second), or convert it first (some seconds, once)."""
        if self._compiled is None:
            self._torch_embedder.load()

    def begin_loading(self) -> None:
        """Load the model beside what this thread does next, if it was converted before.

        Not the tokenizer, which keeps all threads waiting while it is loaded. An error is raised to whoever needs what
        could not be loaded.
        """
        if self._models.has(conversion_name(self._space)):
            threading.Thread(target=self._try_to_compile, name="load model").start()

    def _try_to_compile(self) -> None:
        with suppress(ModelError):
            _ = self._compiled

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Count what the model will see of each text."""
        return self.counter.tokenize(texts)

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        """Embed document texts: float32 (n, dimension), rows of length 1, in the order given."""
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
        """The loaded model; None where OpenVINO cannot run it."""
        try:
            converted = self._converted()
        except ConversionFailed as error:
            logger.warning("%s", error)
            return None
        return self._compile(converted.xml, self._precision, converted.compiled)

    def _converted(self) -> ConvertedModel:
        """Find the converted model, or convert it now.

        Raises:
            ConversionFailed: OpenVINO cannot run the model.
        """
        if (self._space.document_prompt or self._space.query_prompt) and leaves_prompt_out(self._folder):
            raise ConversionFailed(self._space.model, "its pooling leaves the prompt out")
        name = conversion_name(self._space)
        if (found := self._models.find(name)) is not None:
            return found
        logger.info(translate("converting {model} for OpenVINO, once (some seconds) ...", model=self._space.model))
        # The comparison of a conversion is done in the coarser arithmetic, so that its result holds for both.
        compile_model = partial(self._compile, precision="auto", cache=None)
        write = partial(convert, folder=self._folder, space=self._space, compile_model=compile_model)
        return self._models.add(name, 3 * self._folder.weight_bytes, write)

    def _compile(self, xml: Path, precision: Precision, cache: Path | None) -> CompiledModel:
        return CompiledModel(xml, self._space, lambda: self.counter.pad_id, precision, cache)
