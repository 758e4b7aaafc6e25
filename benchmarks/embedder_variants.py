"""Other ways to have OpenVINO compute the default model: properties, graphs, shapes and sizes of a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vector_assets.embedding.openvino.bert_graph import BertGraph
from vector_assets.embedding.openvino.library import import_openvino

Ids = NDArray[np.int32]
Vectors = NDArray[np.float32]
# Tokens in one call, as in the product.
_CALL_TOKENS = 2048
_THROUGHPUT = {"PERFORMANCE_HINT": "THROUGHPUT"}


class MergedProjections(BertGraph):
    """Query, key and value by one matrix product."""

    def _attention(self, states: Any, bias: Any, name: str) -> Any:
        ops, heads = self._ops, self._config["num_attention_heads"]
        hidden = self._config["hidden_size"]
        kinds = ("query", "key", "value")
        weights, biases = (
            self._constant(np.concatenate([self._weights[f"{name}.{part}.{kind}"] for part in kinds]))
            for kind in ("weight", "bias")
        )
        merged = ops.add(ops.matmul(states, weights, False, True), biases)
        by_head = ops.reshape(merged, [0, 0, 3 * heads, hidden // heads], True)
        parts = ops.variadic_split(by_head, 2, [heads] * 3)
        query, key, value = (ops.transpose(parts.output(part), [0, 2, 1, 3]) for part in range(3))
        return self._joined(ops.scaled_dot_product_attention(query, key, value, bias))


class DecomposedAttention(BertGraph):
    """Attention as two matrix products and a softmax, written out."""

    def _attention(self, states: Any, bias: Any, name: str) -> Any:
        ops = self._ops
        query, key, value = (self._by_head(states, f"{name}.{part}") for part in ("query", "key", "value"))
        width = self._config["hidden_size"] // self._config["num_attention_heads"]
        scores = ops.multiply(ops.matmul(query, key, False, True), np.float32(width**-0.5))
        return self._joined(ops.matmul(ops.softmax(ops.add(scores, bias), -1), value, False, False))


class TanhGelu(BertGraph):
    """The approximation of GELU by tanh."""

    _gelu = "tanh"


class ProductsAlone(BertGraph):
    """The matrix products of the weights, one after the other, and nothing else: what the hardware allows at most."""

    def _layer(self, states: Any, bias: Any, name: str) -> Any:
        for part in ("query", "key", "value"):
            states = self._dense(states, f"{name}.attention.self.{part}")
        for part in ("attention.output", "intermediate", "output"):
            states = self._dense(states, f"{name}.{part}.dense")
        return states


class NoNorms(BertGraph):
    """Without normalizations and residual additions, which OpenVINO computes in float32."""

    def _layer(self, states: Any, bias: Any, name: str) -> Any:
        attended = self._dense(
            self._attention(states, bias, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        inner = self._ops.gelu(self._dense(attended, f"{name}.intermediate.dense"), "erf")
        return self._dense(inner, f"{name}.output.dense")


@dataclass(frozen=True)
class Variant:
    """One way to compute the model.

    Attributes:
        name: what is tried. A name in brackets is a limit: it makes other vectors.
        properties: OpenVINO's, beside those of the product.
        graph: builds the model.
        texts_per_call: None for as many as the product takes, or the power of two below.
        shape: `dynamic`, `bounded`, or `static`, with one compiled model for each shape.
    """

    name: str
    properties: Mapping[str, object] = field(default_factory=dict)
    graph: type[BertGraph] = BertGraph
    texts_per_call: int | None = None
    shape: str = "dynamic"

    def count(self, width: int) -> int:
        """Return the texts in a call that have so many tokens."""
        fitting: int = 2 ** int(np.log2(max(_CALL_TOKENS // width, 1)))
        return self.texts_per_call or fitting

    def compile(self, folder: Path, width: int, profiled: bool = False) -> "CompiledVariant":
        """Compile the model in a folder, for texts of up to so many tokens where the shape is static."""
        openvino = import_openvino()
        model = self.graph(folder).model()
        shapes = {
            "bounded": [openvino.Dimension(1, 256), openvino.Dimension(1, 512)],
            "static": [self.count(width), width],
        }
        if self.shape in shapes:
            model.reshape(dict.fromkeys(("input_ids", "attention_mask"), openvino.PartialShape(shapes[self.shape])))
        properties = _THROUGHPUT | dict(self.properties) | {"PERF_COUNT": profiled}
        return CompiledVariant(openvino.Core().compile_model(model, "CPU", properties), self.count(width), width)


class CompiledVariant:
    """Embeds texts in calls of a fixed shape, as many at once as OpenVINO has streams."""

    def __init__(self, compiled: Any, count: int, width: int) -> None:
        self.compiled = compiled
        self._count, self._width = count, width
        self._queue = import_openvino().AsyncInferQueue(compiled, int(compiled.get_property("NUM_STREAMS")))
        self._queue.set_callback(self._store)
        self._vectors: Vectors = np.empty((0, 0), np.float32)

    def embed(self, texts: Sequence[Ids]) -> Vectors:
        """Return the vectors of the texts, in order; their number has to fill whole calls of a static shape."""
        dimension = self.compiled.output(0).get_partial_shape()[1].get_length()
        self._vectors = np.empty((len(texts), dimension), np.float32)
        for start in range(0, len(texts), self._count):
            self._queue.start_async(padded(texts[start : start + self._count], self._width), start)
        self._queue.wait_all()
        return self._vectors

    def _store(self, request: Any, start: int) -> None:
        vectors = request.get_output_tensor(0).data
        self._vectors[start : start + len(vectors)] = vectors


def padded(texts: Sequence[Ids], width: int) -> list[NDArray[np.int64]]:
    """Return the ids and the mask of one call; padding is the token 1, which the mask hides."""
    ids = np.ones((len(texts), width), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return [ids, mask]


SAME = Variant("same graph, asynchronous calls")
FLOAT32 = Variant("float32", {"INFERENCE_PRECISION_HINT": "f32"})
VARIANTS = (
    SAME,
    FLOAT32,
    Variant("float16", {"INFERENCE_PRECISION_HINT": "f16"}),
    Variant("static shape", shape="static"),
    Variant("bounded shape", shape="bounded"),
    Variant("attention written out", graph=DecomposedAttention),
    Variant("attention's parts as separate kernels", {"SNIPPETS_MODE": "DISABLE"}),
    Variant("query, key, value merged", graph=MergedProjections),
    Variant("GELU by tanh", graph=TanhGelu),
    *(Variant(f"{count} texts a call", texts_per_call=count) for count in (1, 2, 4, 8, 16, 32)),
    Variant("1 stream of 1 thread", {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}),
    Variant("1 stream of all threads", {"NUM_STREAMS": 1}),
    Variant("4 streams", {"NUM_STREAMS": 4}),
    Variant("no pinning", {"ENABLE_CPU_PINNING": False}),
    Variant("hyper-threads", {"ENABLE_HYPER_THREADING": True}),
    Variant("TBB's static partitioner", {"TBB_PARTITIONER": "STATIC"}),
    Variant("TBB's automatic partitioner", {"TBB_PARTITIONER": "AUTO"}),
    Variant("denormals as zero", {"CPU_DENORMALS_OPTIMIZATION": True}),
    Variant("(no norms, no residual additions)", graph=NoNorms),
    Variant("(matrix products alone)", graph=ProductsAlone),
)
