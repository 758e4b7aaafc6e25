"""Vectors that no healthy embedder gives: each is refused with its chunk, by its name, and the others commit."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import Vectors
from vector_assets.errors import EmbedderBroken
from vector_assets.quality.distribution import Distribution
from vector_assets.quality.vectors import Fault
from vector_assets.storage.database import Database

from ..fakes import KEY, SPACE, HashEmbedder, make_vectorizer, rows, store_chunks
from ..invariants import check_invariants
from ..memory.database import MemoryDatabase
from ..stores import stores_of

WIDE = replace(SPACE, model="wide", dimension=64)
Spoil = Callable[[Vectors, list[str]], Vectors]


class Spoiling(HashEmbedder):
    """Answers with what `spoil` makes of the good vectors."""

    def __init__(self, spoil: Spoil) -> None:
        super().__init__(WIDE)
        self._spoil = spoil

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        return self._spoil(super().embed(texts), [text.text for text in texts])


def row_of(text: str, value: Vectors | float) -> Spoil:
    """Only that text's vector is bad."""

    def spoil(vectors: Vectors, texts: list[str]) -> Vectors:
        for row, each in enumerate(texts):
            if each == text:
                vectors[row] = value
        return vectors

    return spoil


def twice_as_long(vectors: Vectors, texts: list[str]) -> Vectors:
    vectors[[text == "b" for text in texts]] *= 2
    return vectors


ONE_BAD_ROW = {
    "not a number": (row_of("b", np.nan), Fault.NOT_FINITE),
    "infinite": (row_of("b", np.inf), Fault.NOT_FINITE),
    "zero": (row_of("b", 0.0), Fault.ZERO),
    "constant": (row_of("b", 1 / 8), Fault.NEARLY_CONSTANT),
    "twice as long": (twice_as_long, Fault.WRONG_NORM),
}


@pytest.mark.parametrize(("spoil", "fault"), ONE_BAD_ROW.values(), ids=ONE_BAD_ROW)
def test_a_bad_row_is_quarantined_and_named(memory: MemoryDatabase, spoil: Spoil, fault: Fault) -> None:
    """With its text's hash and length, and what computed it."""
    store_chunks(memory, ["a", "b", "c", "d"])

    report = make_vectorizer(memory, Spoiling(spoil)).vectorize_partition(KEY)

    assert (report.vectorized_count, report.failed_count, report.faults) == (3, 1, {fault: 1})
    (failure,) = report.failures
    assert failure.chunk.text == "b"
    assert f"a vector that is {fault}" in failure.message
    assert f"sha256 {failure.chunk.content_hash.hex()[:12]}, 1 tokens; cpu" in failure.message
    check_invariants(memory, HashEmbedder(WIDE))


def test_two_texts_with_one_vector_are_both_refused(memory: MemoryDatabase) -> None:
    """Nobody knows whose it is. Each alone would be good, so they are not tried alone."""
    store_chunks(memory, ["a", "b", "c", "d"])

    def same(vectors: Vectors, texts: list[str]) -> Vectors:
        if {"b", "c"} <= set(texts):
            vectors[texts.index("b")] = vectors[texts.index("c")]
        return vectors

    report = make_vectorizer(memory, Spoiling(same)).vectorize_partition(KEY)

    assert (report.vectorized_count, report.faults) == (2, {Fault.COLLAPSED: 2})
    assert {failure.chunk.text for failure in report.failures} == {"b", "c"}


def test_one_vector_for_all_texts_is_the_embedders_fault(memory: MemoryDatabase) -> None:
    """A model that lost its weights, say: no chunk is quarantined for it."""
    store_chunks(memory, ["a", "b", "c", "d"])
    one = np.random.default_rng(0).normal(size=64).astype(np.float32)
    one /= np.linalg.norm(one)

    with pytest.raises(EmbedderBroken, match="another text's"):
        make_vectorizer(memory, Spoiling(lambda vectors, _: np.tile(one, (len(vectors), 1)))).vectorize_partition(KEY)

    assert stores_of(memory).failures() == []


def test_the_same_text_twice_has_the_same_vector_rightly(memory: MemoryDatabase) -> None:
    """As boilerplate has in every filing."""
    store_chunks(memory, ["same", "same", "other"])

    report = make_vectorizer(memory, HashEmbedder(WIDE)).vectorize_partition(KEY)

    assert (report.vectorized_count, report.faults) == (3, {})


def test_stored_vectors_are_added_to_the_distribution(database: Database) -> None:
    """Those that failed or were superseded are not."""
    store_chunks(database, ["word " * 70, *(f"text {number}" for number in range(9)), "POISON", "old"])
    embedder = HashEmbedder(WIDE)
    embedder.before = lambda _: rows(database, "UPDATE document_chunks SET text = 'new' WHERE text = 'old'") and None
    distribution = Distribution(WIDE.dimension)

    report = make_vectorizer(database, embedder).vectorize_partition(KEY, distribution=distribution)

    stored = rows(database, f"SELECT chunk_id FROM chunk_vectors_{WIDE.slug}")
    assert report.vectorized_count == 10
    assert sorted(distribution.sample.ids.tolist()) == sorted(row[0].int & (1 << 62) - 1 for row in stored)
    assert distribution.summary.count == 10
    # A truncated text counts with all of its tokens.
    assert distribution.token_lengths.counts == {2: 9, 70: 1}
