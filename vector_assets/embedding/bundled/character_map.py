"""Writes which characters a SentencePiece tokenizer replaces, in the form that the `tokenizers` library reads.

The form is a double-array trie over UTF-8 bytes: the length of the trie in bytes (u32), its units (u32 each), then the
replacements, each ended by a NUL. A unit holds its byte in the bits 0 to 7, in bit 8 whether a key ends there, and from
bit 10 on an offset: the children of unit `i` lie at `i ^ offset ^ byte`, and the value of a key at `i ^ offset`, marked
by bit 31. The form is that of the library Darts-clone.
"""

import struct
import unicodedata
from collections.abc import Iterator
from itertools import product

_END, _OFFSET_BIT, _VALUE = 1 << 8, 10, 1 << 31
# The library looks up a character with its combining marks only when all of them have fewer bytes than this.
_LONGEST_COMPOSED = 6
# A place for a node is looked for among so many last units. More would save little room, and take long.
_SEARCHED = 256

_Trie = dict[int, "_Trie"]  # children by byte; the value of a key is kept in the map, under byte 0


def written_map(characters: dict[str, str]) -> bytes:
    """Write single characters with their replacements, and letters with marks, which NFKC composes."""
    replacements = characters | _composed(characters)
    texts, positions = bytearray(), dict[str, int]()
    for text in sorted(set(replacements.values())):
        positions[text] = len(texts)
        texts += text.encode() + b"\0"
    units = _double_array({key.encode(): positions[text] for key, text in replacements.items()})
    return struct.pack(f"<{len(units) + 1}I", 4 * len(units), *units) + bytes(texts)


def _composed(characters: dict[str, str]) -> dict[str, str]:
    """Find the sequences of a letter and marks that NFKC replaces and that begin with no sequence in the map."""
    found = dict[str, str]()
    for key in sorted(_decomposed(), key=len):
        begun = any(key[:length] in characters or key[:length] in found for length in range(1, len(key)))
        composed = unicodedata.normalize("NFKC", key)
        if not begun and composed != key and len(key.encode()) < _LONGEST_COMPOSED:
            found[key] = composed
    return found


def _decomposed() -> Iterator[str]:
    """Yield all canonical decompositions and what they begin with, each mark also as the marks equivalent to it."""
    marks, decompositions = dict[str, list[str]](), list[str]()
    for character in map(chr, range(0x110000)):
        decomposition = unicodedata.normalize("NFD", character)
        if len(decomposition) > 1:
            decompositions.append(decomposition)
        elif decomposition != character and unicodedata.combining(character):
            marks.setdefault(decomposition, [decomposition]).append(character)
    for decomposition in decompositions:
        letter, following = decomposition[0], decomposition[1:]
        for length in range(1, len(following) + 1):
            for variant in product(*(marks.get(mark, [mark]) for mark in following[:length])):
                yield letter + "".join(variant)


def _double_array(values: dict[bytes, int]) -> list[int]:
    """Place the nodes of a trie, no two at one base. The length is a multiple of 256, so that every read is inside."""
    array = _DoubleArray()
    array.place(0, sorted(values.items()), 0)
    return array.units


class _DoubleArray:
    def __init__(self) -> None:
        self.units = [0] * 256
        self._free = [False] + [True] * 255
        self._bases = set[int]()

    def place(self, node: int, entries: list[tuple[bytes, int]], depth: int) -> None:
        """Place the children of a node; `entries` are the sorted keys that share their first `depth` bytes."""
        groups = dict[int, list[tuple[bytes, int]]]()
        for key, value in entries:
            groups.setdefault(key[depth] if depth < len(key) else 0, []).append((key, value))
        base = self._free_base(list(groups))
        self.units[node] |= (node ^ base) << _OFFSET_BIT
        for byte in groups:
            self._free[base ^ byte] = False
            self.units[base ^ byte] = byte
        for byte, group in groups.items():
            if byte:
                self.place(base ^ byte, group, depth + 1)
            else:
                self.units[node] |= _END
                self.units[base] = group[0][1] | _VALUE

    def _free_base(self, labels: list[int]) -> int:
        position = max(len(self.units) - _SEARCHED, 0)
        while True:
            base = position ^ labels[0]
            while len(self.units) <= base | 255:
                self.units += [0] * 256
                self._free += [True] * 256
            if base not in self._bases and all(self._free[base ^ label] for label in labels):
                self._bases.add(base)
                return base
            position += 1
