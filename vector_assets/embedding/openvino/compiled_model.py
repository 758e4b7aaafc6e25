"""A converted model, compiled by OpenVINO for this CPU."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...domain.spaces import EmbeddingSpace, Vectors
from ..devices import Precision
from .library import import_openvino

logger = logging.getLogger(__name__)

# Tokens in one call, padding included. More do not make it faster, and what they leave behind outgrows the cache of a
# core: 32 texts of 256 tokens at once were 7 to 12 % slower than 8.
_CALL_TOKENS = 2048
# Kernels are made for each new shape. Widths in steps make few shapes, and cost 2 % of padding.
_WIDTH_STEP = 8


class CompiledModel:
    """A converted model, ready: ids of texts in, vectors out. May be used by several threads at once."""

    def __init__(self, xml: Path, space: EmbeddingSpace, pad_id: int, precision: Precision, cache: Path | None) -> None:
        properties: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if precision == "f32":
            properties["INFERENCE_PRECISION_HINT"] = "f32"
        self._compiled = _compile(xml, properties, cache)
        self._dimension = space.dimension
        self._max_tokens = space.max_tokens
        self._pad_id = pad_id
        self._threads = threading.local()
        # OpenVINO's first call in a process sets up its use of numpy. Of two first calls at once, one waits for
        # Python's lock in the middle of that, and the other for that with Python's lock: for ever.
        self._call([np.array([pad_id])], 1)

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


def _compile(xml: Path, properties: dict[str, Any], cache: Path | None) -> Any:
    """Kept in the cache, and taken from there; where that cannot be used, compiled each time."""
    if cache is not None:
        try:
            return import_openvino().Core().compile_model(str(xml), "CPU", properties | {"CACHE_DIR": str(cache)})
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            logger.warning("the compiled model cannot be kept in %s, so every start takes longer (%s)", cache, reason)
    # A new core: one that has been given a cache keeps to it.
    return import_openvino().Core().compile_model(str(xml), "CPU", properties)
