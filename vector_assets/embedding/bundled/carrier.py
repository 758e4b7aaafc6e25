"""Reads the file that carries multilingual-e5-small: its sizes, its pieces with their scores, its tensors in 4 bits."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC, _VERSION = b"E5S1", 1
_BLOCK_WEIGHTS = 32
# 32 weights: their scale, then byte j with weight j in its low half and weight j + 16 in its high half.
_BLOCK = np.dtype([("scale", "<f2"), ("halves", "u1", _BLOCK_WEIGHTS // 2)])
_ZERO = 8  # the stored number of a weight of 0
_BLOCKS_AT_ONCE = 1 << 16  # 2 million weights, 8 MB in float32


@dataclass(frozen=True)
class Sizes:
    """The sizes of the transformer."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of the tokenizer by id, the logarithms of their probabilities, and the text of single characters.

    `characters` has what a character is replaced with before the text is divided into pieces.
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    characters: dict[str, str]
    bos: int
    eos: int
    pad: int
    unknown: int


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies in the file. `quantized`: in blocks of 4 bits a weight; else in float32."""

    quantized: bool
    count: int
    offset: int


class Carrier:
    """The parsed file. Tensors are read when they are asked for.

    Args:
        content: the bytes of the whole file, which may be mapped into memory.

    Raises:
        ValueError: it is not such a file.
    """

    def __init__(self, content: bytes | mmap) -> None:
        self._content = content
        reader = _Reader(content)
        if reader.bytes(4) != _MAGIC or reader.one("I") != _VERSION:
            raise ValueError("unknown format")
        self.sizes = Sizes(*reader.many("7if"))
        if reader.one("i") != _BLOCK_WEIGHTS:
            raise ValueError("unknown size of blocks")
        self.vocabulary = _read_vocabulary(reader)
        self.tensors = dict(_read_tensor(reader) for _ in range(reader.one("i")))

    def values(self, name: str) -> Iterator[NDArray[np.floating[Any]]]:
        """Yield the numbers of a tensor in order, some million at a time, in float32."""
        tensor = self.tensors[name]
        if not tensor.quantized:
            yield np.frombuffer(self._content, "<f4", tensor.count, tensor.offset)
            return
        blocks = np.frombuffer(self._content, _BLOCK, tensor.count // _BLOCK_WEIGHTS, tensor.offset)
        for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
            yield _weights(blocks[start : start + _BLOCKS_AT_ONCE])


class _Reader:
    """Reads little-endian numbers one after another."""

    def __init__(self, content: bytes | mmap) -> None:
        self._content = content
        self._position = 0

    def many(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self._content, self._position)
        self._position += struct.calcsize(f"<{form}")
        return values

    def one(self, form: str) -> Any:
        (value,) = self.many(form)
        return value

    def bytes(self, count: int) -> bytes:
        self._position += count
        return self._content[self._position - count : self._position]


def _read_vocabulary(reader: _Reader) -> Vocabulary:
    count = reader.one("i")
    bos, eos, pad, unknown = reader.many("4i")
    text_bytes = reader.one("Q")
    offsets = reader.many(f"{count + 1}I")
    scores = reader.many(f"{count}f")
    text = reader.bytes(text_bytes)
    pieces = tuple(text[start:end].decode() for start, end in pairwise(offsets))
    mapped, _ = reader.many("iI")
    characters = dict(_read_character(reader) for _ in range(mapped))
    return Vocabulary(pieces, scores, characters, bos, eos, pad, unknown)


def _read_character(reader: _Reader) -> tuple[str, str]:
    character, length = reader.many("IB")
    return chr(character), "".join(map(chr, reader.many(f"{length}I")))


def _read_tensor(reader: _Reader) -> tuple[str, Tensor]:
    name = reader.bytes(reader.one("H")).decode()
    kind, count, offset, _ = reader.many("BIQQ")
    return name, Tensor(kind == 1, count, offset)


def _weights(blocks: NDArray[np.void]) -> NDArray[np.floating[Any]]:
    halves = blocks["halves"]
    weights = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32)
    weights -= _ZERO
    weights *= blocks["scale"].astype(np.float32)[:, np.newaxis]
    return weights.reshape(-1)
