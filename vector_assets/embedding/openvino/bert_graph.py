"""Builds the OpenVINO graph of a BERT model with mean pooling from its files: quickly, without torch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .library import import_openvino


def write_bert(folder: Path, xml: Path) -> None:
    """Write the graph of the model in a folder; the weights stay in the number format of its file."""
    import_openvino().save_model(BertGraph(folder).model(), xml, compress_to_fp16=False)


class BertGraph:
    """Builds `sentence_embedding` (texts, dimension) from `input_ids` and `attention_mask`, both (texts, tokens).

    The file of the weights is mapped into memory; the arithmetic is that of the device, whatever their number format.
    """

    _gelu = "erf"

    def __init__(self, folder: Path) -> None:
        import_openvino()
        from openvino import opset13

        self._ops: Any = opset13
        self._config = json.loads((folder / "config.json").read_text("utf-8"))
        self._weights = _read_weights(folder / "model.safetensors")

    def model(self) -> Any:
        """Return the graph as an `openvino.Model`."""
        ops = self._ops
        input_ids = ops.parameter([-1, -1], np.int64, name="input_ids")
        attention_mask = ops.parameter([-1, -1], np.int64, name="attention_mask")
        mask = ops.convert(attention_mask, np.float32)
        states = self._embeddings(input_ids)
        bias = self._attention_bias(mask)
        for layer in range(self._config["num_hidden_layers"]):
            states = self._layer(states, bias, f"encoder.layer.{layer}")
        vectors = self._pooled(states, mask)
        return import_openvino().Model([ops.result(vectors)], [input_ids, attention_mask], "bert")

    def _embeddings(self, input_ids: Any) -> Any:
        ops, hidden = self._ops, self._config["hidden_size"]
        words = ops.gather(self._weight("embeddings.word_embeddings.weight"), input_ids, 0)
        length = ops.gather(ops.shape_of(input_ids), 1, 0)
        positions = ops.gather(self._weight("embeddings.position_embeddings.weight"), ops.range(0, length, 1, "i64"), 0)
        types = ops.reshape(self._row("embeddings.token_type_embeddings.weight", 0), [1, 1, hidden], False)
        return self._normalized(ops.add(ops.add(words, types), positions), "embeddings.LayerNorm")

    def _attention_bias(self, mask: Any) -> Any:
        """Return 0 for tokens and minus infinity's stand-in for padding, shape (texts, 1, 1, tokens)."""
        ops = self._ops
        hidden = ops.multiply(ops.subtract(mask, np.float32(1)), np.float32(-np.finfo(np.float32).min))
        return ops.unsqueeze(hidden, [1, 2])

    def _layer(self, states: Any, bias: Any, name: str) -> Any:
        ops = self._ops
        attended = self._dense(
            self._attention(states, bias, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        states = self._normalized(ops.add(attended, states), f"{name}.attention.output.LayerNorm")
        inner = ops.gelu(self._dense(states, f"{name}.intermediate.dense"), self._gelu)
        return self._normalized(ops.add(self._dense(inner, f"{name}.output.dense"), states), f"{name}.output.LayerNorm")

    def _attention(self, states: Any, bias: Any, name: str) -> Any:
        query, key, value = (self._by_head(states, f"{name}.{part}") for part in ("query", "key", "value"))
        return self._joined(self._ops.scaled_dot_product_attention(query, key, value, bias))

    def _by_head(self, states: Any, name: str) -> Any:
        """Return the product of the states with a weight, divided among the heads: (texts, heads, tokens, width)."""
        heads = self._config["num_attention_heads"]
        width = self._config["hidden_size"] // heads
        values = self._ops.reshape(self._dense(states, name), [0, 0, heads, width], True)
        return self._ops.transpose(values, [0, 2, 1, 3])

    def _joined(self, attended: Any) -> Any:
        """Put what the heads have found side by side: (texts, tokens, hidden size)."""
        return self._ops.reshape(self._ops.transpose(attended, [0, 2, 1, 3]), [0, 0, self._config["hidden_size"]], True)

    def _pooled(self, states: Any, mask: Any) -> Any:
        """Return the mean of the tokens' states, of length 1."""
        ops = self._ops
        weights = ops.unsqueeze(mask, [2])
        sums = ops.reduce_sum(ops.multiply(states, weights), [1], False)
        return ops.normalize_l2(ops.divide(sums, ops.reduce_sum(weights, [1], False)), [1], 1e-24, "max")

    def _dense(self, states: Any, name: str) -> Any:
        product = self._ops.matmul(states, self._weight(f"{name}.weight"), False, True)
        return self._ops.add(product, self._weight(f"{name}.bias"))

    def _normalized(self, states: Any, name: str) -> Any:
        ops = self._ops
        scaled = ops.mvn(states, [-1], True, self._config["layer_norm_eps"], "inside_sqrt")
        return ops.add(ops.multiply(scaled, self._weight(f"{name}.weight")), self._weight(f"{name}.bias"))

    def _weight(self, name: str) -> Any:
        return self._constant(self._weights[name])

    def _row(self, name: str, number: int) -> Any:
        return self._constant(self._weights[name][number])

    def _constant(self, values: NDArray[Any]) -> Any:
        constant = self._ops.constant(values, shared_memory=True)
        return self._ops.convert(constant, np.float32)


def _read_weights(file: Path) -> dict[str, NDArray[Any]]:
    """Map the tensors of a safetensors file into memory."""
    content = np.memmap(file, np.uint8, "c")  # OpenVINO shares writable memory only
    head = int.from_bytes(content[:8].tobytes(), "little")
    tensors = json.loads(content[8 : 8 + head].tobytes())
    tensors.pop("__metadata__", None)
    kinds = {"F16": np.float16, "F32": np.float32}
    weights = {}
    for name, tensor in tensors.items():
        start, end = (8 + head + offset for offset in tensor["data_offsets"])
        weights[name] = content[start:end].view(kinds[tensor["dtype"]]).reshape(tensor["shape"])
    return weights
