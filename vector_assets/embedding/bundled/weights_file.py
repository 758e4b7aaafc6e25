"""Writes the weights of the carrier as a safetensors file, tensor by tensor, so that they are never all in memory."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .carrier import Carrier, Sizes

# The names in BERT's files by the names in the carrier.
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln": "embeddings.LayerNorm",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_HALF = np.dtype("<f2")


def write_weights(carrier: Carrier, target: Path) -> None:
    """Write all tensors in float16.

    A weight of the carrier is a scale in float16 times a number of 4 bits; rounding it changes it by less than 0.05 %.
    """
    tensors = list(_tensors(carrier.sizes))
    with target.open("wb") as file:
        file.write(_header([(name, shape) for _, name, shape in tensors]))
        for source, _, _ in tensors:
            for values in carrier.values(source):
                file.write(values.astype(_HALF).tobytes())


def _tensors(sizes: Sizes) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield the name in the carrier, the name in BERT's files and the shape of each tensor."""
    hidden, inner = sizes.hidden, sizes.feed_forward
    rows = {"emb.word": sizes.vocabulary, "emb.pos": sizes.positions, "emb.type": sizes.types}
    for source, count in rows.items():
        yield source, _EMBEDDINGS[source], (count, hidden)
    yield from _weight_and_bias("emb.ln", _EMBEDDINGS["emb.ln"], (hidden,))
    shapes = {"fi": (inner, hidden), "fo": (hidden, inner), "aln": (hidden,), "oln": (hidden,)}
    for layer in range(sizes.layers):
        for source, name in _LAYER.items():
            shape = shapes.get(source, (hidden, hidden))
            yield from _weight_and_bias(f"l{layer}.{source}", f"encoder.layer.{layer}.{name}", shape)


def _weight_and_bias(source: str, name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    yield f"{source}.w", f"{name}.weight", shape
    yield f"{source}.b", f"{name}.bias", shape[:1]


def _header(tensors: Sequence[tuple[str, tuple[int, ...]]]) -> bytes:
    """Write the head of a safetensors file: its length, and where each tensor lies, as JSON."""
    content: dict[str, object] = {"__metadata__": {"format": "pt"}}
    position = 0
    for name, shape in tensors:
        end = position + int(np.prod(shape)) * _HALF.itemsize
        content[name] = {"dtype": "F16", "shape": shape, "data_offsets": [position, end]}
        position = end
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text
