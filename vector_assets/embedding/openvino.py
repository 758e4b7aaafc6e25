"""Embeds with OpenVINO on CPUs, without torch: the fast path where there is no GPU."""

import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..domain import EmbeddingSpace, TokenizedText, Vectors
from ..errors import ConversionFailed
from .conversion import convert, find_conversion
from .devices import Precision
from .models import ModelFolder
from .quiet import import_openvino
from .sentence_transformer import SentenceTransformerEmbedder
from .tokens import TokenCounter

logger = logging.getLogger(__name__)

# Tokens in one call, padding included. More do not make it faster, and what they leave behind outgrows the cache of a
# core: 32 texts of 256 tokens at once were 7 to 12 % slower than 8.
_CALL_TOKENS = 2048
# Kernels are made for each new shape. Widths in steps make few shapes, and cost 2 % of padding.
_WIDTH_STEP = 8


class CompiledModel:
    """A converted model, ready: ids of texts in, vectors out. May be used by several threads at once."""

    def __init__(self, xml: Path, space: EmbeddingSpace, pad_id: int, precision: Precision, cache: Path | None) -> None:
        core = import_openvino().Core()
        properties: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if precision == "f32":
            properties["INFERENCE_PRECISION_HINT"] = "f32"
        if cache is not None:
            properties["CACHE_DIR"] = str(cache)
        self._compiled = core.compile_model(str(xml), "CPU", properties)
        self._dimension = space.dimension
        self._max_tokens = space.max_tokens
        self._pad_id = pad_id
        self._threads = threading.local()

    @property
    def streams(self) -> int:
        """How many calls run at once."""
        return int(self._compiled.get_property("NUM_STREAMS"))

    @property
    def precision(self) -> str:
        """What the arithmetic is done in, e.g. `bf16`."""
        return str(self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())

    def embed(self, texts: Sequence[NDArray[np.integer[Any]]]) -> Vectors:
        """Vectors of token ids, special tokens included: float32 (n, dimension), rows of length 1, in order."""
        vectors = np.empty((len(texts), self._dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        while order:
            width = self._width(len(texts[order[0]]))
            rows, order = order[: max(_CALL_TOKENS // width, 1)], order[max(_CALL_TOKENS // width, 1) :]
            vectors[rows] = self._call([texts[row] for row in rows], width)
        return vectors

    def _width(self, longest: int) -> int:
        return max(min(-(-longest // _WIDTH_STEP) * _WIDTH_STEP, self._max_tokens), longest, 1)

    def _call(self, texts: Sequence[NDArray[np.integer[Any]]], width: int) -> Vectors:
        input_ids = np.full((len(texts), width), self._pad_id, dtype=np.int64)
        attention_mask = np.zeros((len(texts), width), dtype=np.int64)
        for row, ids in enumerate(texts):
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        request = self._request()
        request.infer([input_ids, attention_mask], share_inputs=True)
        vectors: Vectors = request.get_output_tensor(0).data
        return vectors

    def _request(self) -> Any:
        """One request a thread: a request works on one input at a time."""
        if not hasattr(self._threads, "request"):
            self._threads.request = self._compiled.create_infer_request()
        return self._threads.request


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
            return self._compile(conversion.xml, self._space, self._cache / "compiled")
        except ConversionFailed as error:
            logger.warning("%s", error)
            return None

    def _compile(self, xml: Path, space: EmbeddingSpace, cache: Path | None = None) -> CompiledModel:
        return CompiledModel(xml, space, self.counter.pad_id, self._precision, cache)
