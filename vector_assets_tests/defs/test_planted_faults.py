"""Planted faults, one at a time, each caught by the check that should and by no other: the table of docs/quality.md.

With VECTOR_ASSETS_WRITE_DOCS=1 the table is written; else it must be what it was.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, VECTORIZED_CHUNKS
from vector_assets.defs.partitions import register
from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import Vectors

from ..audit.test_drift_guard import Turned
from ..fakes import FakeServices, HashEmbedder, vector_of
from ..vectorizer.test_vector_inspector import WIDE
from .conftest import US
from .test_assets import materialize
from .test_checks import TEXTS, English, check_results, failed, use, write

DOCUMENT = Path(__file__).parents[2] / "docs" / "quality.md"
BEGIN, END = "<!-- made by defs/test_planted_faults.py -->\n", "<!-- end -->\n"

Spoil = Callable[[Vectors], Vectors]


class Spoiling(HashEmbedder):
    """Its answers to batches of chunks are spoilt; to a single text they are good, as to the fixed ones."""

    def __init__(self, spoil: Spoil) -> None:
        super().__init__(WIDE)
        self._spoil = spoil

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        vectors = super().embed(texts)
        spoilt = [text.text for text in texts] == TEXTS
        return self._spoil(vectors) if spoilt else vectors


class AlwaysSpoiling(HashEmbedder):
    """The fixed texts come out spoilt as well."""

    def __init__(self, spoil: Spoil) -> None:
        super().__init__(WIDE)
        self._spoil = spoil

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        return self._spoil(super().embed(texts))


class Alike(Spoiling):
    """Any two of its vectors have a cosine of 0.999, as those of texts that differ in one number."""

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        own = super().embed(texts)
        vectors = one_vector(own) + 0.03 * own
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def first_row(value: float) -> Callable[[], HashEmbedder]:
    """The vector of one text is bad, whatever it is embedded with."""

    class OneBad(HashEmbedder):
        def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
            vectors = super().embed(texts)
            vectors[[text.text == TEXTS[0] for text in texts]] = value
            return vectors

    return lambda: OneBad(WIDE)


def _twins(vectors: Vectors) -> Vectors:
    vectors[1] = vectors[0]
    return vectors


def _longer(vectors: Vectors) -> Vectors:
    return 3 * vectors


def _coarse(vectors: Vectors) -> Vectors:
    """Eight steps a component: cosines of 0.99, as of 8-bit products made without care."""
    coarse = np.round(vectors * 16) / 16
    return (coarse / np.linalg.norm(coarse, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Planted:
    """A fault, who makes it, whether vectors were made before it, and what is seen besides the checks that fail."""

    embedder: Callable[[], HashEmbedder] = lambda: HashEmbedder(WIDE)
    texts: Sequence[str] = tuple(TEXTS)
    after_a_good_run: bool = False
    asset: dg.AssetKey = VECTORIZED_CHUNKS


def one_vector(vectors: Vectors) -> Vectors:
    return np.tile(vector_of("one", WIDE.dimension), (len(vectors), 1))


FAULTS = {
    "a vector that is not a number": Planted(first_row(np.nan)),
    "a vector of zeros": Planted(first_row(0.0)),
    "a vector that is constant": Planted(first_row(WIDE.dimension**-0.5)),
    "vectors of another length than 1": Planted(lambda: AlwaysSpoiling(_longer)),
    "vectors of another dimension": Planted(lambda: AlwaysSpoiling(lambda vectors: vectors[:, 1:])),
    "two texts with one vector": Planted(lambda: Spoiling(_twins)),
    "one vector for all texts": Planted(lambda: AlwaysSpoiling(one_vector)),
    "rows in the wrong order": Planted(lambda: Spoiling(lambda vectors: vectors[::-1])),
    "rows of texts that are almost alike, in the wrong order": Planted(lambda: Alike(lambda vectors: vectors[::-1])),
    "a model file that was changed in silence": Planted(lambda: Turned(0.9), after_a_good_run=True),
    "8-bit products made without care": Planted(lambda: AlwaysSpoiling(_coarse), after_a_good_run=True),
    "text longer than the model reads": Planted(texts=[*TEXTS, " ".join(["word"] * 70)]),
    "Chinese text, and a model for English": Planted(
        lambda: English(WIDE), [f"董事会 审议 第 {n} 号" for n in range(6)]
    ),
    "mojibake": Planted(
        texts=[text.encode().decode("cp1252") for text in ["company’s — revenue"]], asset=DOCUMENT_CHUNKS
    ),
    "an empty chunk": Planted(texts=[*TEXTS, " "], asset=DOCUMENT_CHUNKS),
    "chunks that are fragments": Planted(texts=[*TEXTS, "18", "$", "July"], asset=DOCUMENT_CHUNKS),
    "a chunk that is far too long": Planted(texts=[*TEXTS, " ".join(["word"] * 500)], asset=DOCUMENT_CHUNKS),
    "nothing": Planted(),
}
EXPECTED = {
    "a vector that is not a number": {"vectors_valid", "complete", "quarantined"},
    "a vector of zeros": {"vectors_valid", "complete", "quarantined"},
    "a vector that is constant": {"vectors_valid", "complete", "quarantined"},
    "vectors of another length than 1": {"the run fails"},
    "vectors of another dimension": {"the run fails"},
    "two texts with one vector": {"vectors_valid", "complete", "quarantined", "the run fails"},
    "one vector for all texts": {"the run fails"},
    "rows in the wrong order": {"self_retrieval"},
    "rows of texts that are almost alike, in the wrong order": {"self_retrieval"},
    "a model file that was changed in silence": {"no_drift", "the run fails"},
    "8-bit products made without care": {"no_drift", "the run fails"},
    "text longer than the model reads": {"nothing_truncated"},
    "Chinese text, and a model for English": {"vocabulary_covers_text"},
    "mojibake": {"text_is_readable"},
    "an empty chunk": {"no_empty_chunks", "quarantined"},
    "chunks that are fragments": {"chunk_sizes_in_range"},
    "a chunk that is far too long": {"chunk_sizes_in_range"},
    "nothing": set(),
}


def caught(planted: Planted, instance: dg.DagsterInstance, services: FakeServices) -> set[str]:
    """The checks that failed, and what else is seen."""
    register(instance, [US])
    write(services.database, planted.texts, US)
    space = planted.embedder().space
    if planted.after_a_good_run:
        use(services, HashEmbedder(space))
        assert materialize(instance, services, US).success
        write(services.database, ["one more"], US, "b.txt")
    use(services, planted.embedder())
    result = materialize(instance, services, US)
    seen = set(failed(check_results(instance, result, str(US), planted.asset)))
    if not result.success:
        seen.add("the run fails")
    if services.quarantine.chunks(space.slug, [US]):
        seen.add("quarantined")
    return seen


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_caught_by_the_check_that_should(
    fault: str, instance: dg.DagsterInstance, services: FakeServices
) -> None:
    """And by no other, which would have caught it by chance."""
    assert caught(FAULTS[fault], instance, services) == EXPECTED[fault]


def test_the_document_has_this_table() -> None:
    """So that what it promises is what was seen."""
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    table, _, after = rest.partition(END)
    lines = ["| planted | caught by | besides |", "|---|---|---|"]
    for fault, seen in EXPECTED.items():
        besides = [name for name in ("quarantined", "the run fails") if name in seen]
        checks = [f"`{name}`" for name in sorted(seen - set(besides))]
        lines.append(f"| {fault} | {', '.join(checks)} | {', '.join(besides)} |")
    made = "\n".join(lines) + "\n"
    if os.environ.get("VECTOR_ASSETS_WRITE_DOCS"):
        DOCUMENT.write_text(f"{before}{BEGIN}{made}{END}{after}", "utf-8")
    assert os.environ.get("VECTOR_ASSETS_WRITE_DOCS") or table == made, "make it anew: VECTOR_ASSETS_WRITE_DOCS=1"
    assert set(FAULTS) == set(EXPECTED)
