"""Computes vectors with a converted model that OpenVINO has compiled for this CPU."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...domain.spaces import EmbeddingSpace, Vectors
from ...translation import translate
from ..devices import Precision
from .library import import_openvino

logger = logging.getLogger(__name__)

# Tokens in one call, padding included. More tokens are not faster, and their activations outgrow a core's cache:
# 32 texts of 256 tokens in one call were 7 to 12 % slower than 8.
_CALL_TOKENS = 2048
# OpenVINO makes kernels for each new shape. Widths in steps of 8 make few shapes and cost 2 % of padding.
_WIDTH_STEP = 8


class CompiledModel:
    """Turns token ids into vectors. Several threads may use it at once.

    Args:
        xml: the converted model.
        space: its dimension and its token limit.
        pad_id: gives the token with which short texts are padded, once a text is embedded.
        precision: `f32`, or `auto` for what OpenVINO chooses: bfloat16 where the CPU has instructions for it.
        cache: the folder where OpenVINO keeps what it has compiled; None to keep nothing.
    """

    def __init__(
        self, xml: Path, space: EmbeddingSpace, pad_id: Callable[[], int], precision: Precision, cache: Path | None
    ) -> None:
        properties: dict[str, Any] = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if precision == "f32":
            properties["INFERENCE_PRECISION_HINT"] = "f32"
        self._compiled = _compile(xml, properties, cache)
        self._dimension = space.dimension
        self._max_tokens = space.max_tokens
        self._pad_id = pad_id
        self._threads = threading.local()
        # OpenVINO's first call in a process sets up its use of numpy. When two first calls run at once, one waits for
        # Python's lock in the middle of that, and the other waits for the set-up with Python's lock: a deadlock.
        self._infer(np.zeros((1, 1), dtype=np.int64), np.ones((1, 1), dtype=np.int64))

    @property
    def streams(self) -> int:
        """How many calls run at once."""
        return int(self._compiled.get_property("NUM_STREAMS"))

    @property
    def precision(self) -> str:
        """The number format of the arithmetic, e.g. `bf16`."""
        return str(self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())

    def embed(self, texts: Sequence[NDArray[np.integer[Any]]]) -> Vectors:
        """Embed token ids, special tokens included: float32 (n, dimension), rows of length 1, in the order given."""
        vectors = np.empty((len(texts), self._dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        while order:
            width = self._width(len(texts[order[0]]))
            count = max(_CALL_TOKENS // width, 1)
            rows, order = order[:count], order[count:]
            vectors[rows] = self._call([texts[row] for row in rows], width)
        return vectors

    def _width(self, longest: int) -> int:
        return max(min(-(-longest // _WIDTH_STEP) * _WIDTH_STEP, self._max_tokens), longest, 1)

    def _call(self, texts: Sequence[NDArray[np.integer[Any]]], width: int) -> Vectors:
        """Run the model once, each text padded to `width`."""
        input_ids = np.full((len(texts), width), self._pad_id(), dtype=np.int64)
        attention_mask = np.zeros((len(texts), width), dtype=np.int64)
        for row, ids in enumerate(texts):
            input_ids[row, : len(ids)] = ids
            attention_mask[row, : len(ids)] = 1
        return self._infer(input_ids, attention_mask)

    def _infer(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> Vectors:
        request = self._request()
        request.infer([input_ids, attention_mask], share_inputs=True)
        vectors: Vectors = request.get_output_tensor(0).data
        return vectors

    def _request(self) -> Any:
        """Return this thread's own request, because a request works on one input at a time."""
        if not hasattr(self._threads, "request"):
            self._threads.request = self._compiled.create_infer_request()
        return self._threads.request


def _compile(xml: Path, properties: dict[str, Any], cache: Path | None) -> Any:
    """Compile the model, or read it from the cache; where the cache cannot be used, compile it without one."""
    if cache is not None:
        try:
            return import_openvino().Core().compile_model(str(xml), "CPU", properties | {"CACHE_DIR": str(cache)})
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            message = translate(
                "the compiled model cannot be kept in {folder}, so every start takes longer ({reason})",
                folder=cache,
                reason=reason,
            )
            logger.warning(message)
    # A new core: a core that was once given a cache goes on using it.
    return import_openvino().Core().compile_model(str(xml), "CPU", properties)
