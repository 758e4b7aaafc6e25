"""The model fails on some chunks, on large batches, on everything, or not at all: who is blamed, and what stays."""

import json
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from vector_assets.cli import main
from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import Vectors
from vector_assets.quality.drift import REFERENCE_TEXTS

from ..fakes import DIMENSION, KEY, HashEmbedder, quarantine_failed
from .places import BATCH_SIZE, CHUNKS, SECONDS, Place, finish, run

# The chunk in the middle is one of its.
_BATCH = CHUNKS // 2 // BATCH_SIZE + 1
_NOW = timedelta(0)

# What a bad chunk does, with the error that it gets.
BAD = {
    "raises": ("RuntimeError", "the kernel failed"),
    "cannot be tokenized": ("ValueError", "no such letter"),
    "not finite": ("BadVectors", "a vector that is not finite"),
    "zero": ("BadVectors", "a vector that is zero"),
    "dimension": ("BadVectors", f"{DIMENSION - 1} components instead of {DIMENSION}"),
}
_EACH = 4


def badness(text: str) -> str | None:
    """One chunk in a hundred is bad, in one way after the other; they lie in batches all over the run."""
    number = int(text.split()[-1]) if text.startswith("word") else 0
    return list(BAD)[number // 100 % len(BAD)] if number % 100 == 77 else None


class Spoiling(HashEmbedder):
    """Fails on the bad chunks, as models do: for a whole batch, or with one row that nobody may store."""

    def tokenize(self, texts: Sequence[str]) -> list[TokenizedText]:
        if "cannot be tokenized" in map(badness, texts):
            raise ValueError("no such letter")
        return super().tokenize(texts)

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        bad = [badness(item.text) for item in texts]
        if "raises" in bad:
            raise RuntimeError("the kernel failed")
        vectors = super().embed(texts)
        vectors[[kind == "not finite" for kind in bad]] = np.nan
        vectors[[kind == "zero" for kind in bad]] = 0
        return vectors[:, 1:] if "dimension" in bad else vectors


@pytest.mark.parametrize("limit", [0.05, 0.005], ids=["fewer than may fail", "more than may fail"])
def test_some_chunks_are_bad(place: Place, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: a chunk raises, cannot be tokenized, comes out as NaN, zero or in the wrong dimension.

    Each of those, and no other, is listed with its error; all else is committed, however the run ends.
    """
    failed = _EACH * len(BAD)
    with place.services(Spoiling()) as services:
        result = run(services, config={"max_failed_fraction": limit})

    if limit * CHUNKS > failed:
        assert result.error is None
    else:
        assert result.error is not None
        assert result.error.startswith(f"{failed} of {CHUNKS:,} chunks failed")
    assert (result.report.vectorized_count, result.report.failed_count) == (CHUNKS - failed, failed)
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", place.url.render_as_string(hide_password=False))
    listed = json.loads(CliRunner().invoke(main, ["failures", "--json"]).stdout)["failures"]
    for error, words in BAD.values():
        assert sum(item["error"] == error and words in item["message"] for item in listed) == _EACH
    assert len({item["chunk_id"] for item in listed}) == len(listed) == failed
    with place.services(Spoiling()) as services:
        quarantine_failed(services.database, services.embedder, [KEY])
    found = finish(place, pending=0)
    assert (len(found.current), len(found.quarantined)) == (CHUNKS - failed, failed)


def test_memory_becomes_scarce(place: Place) -> None:
    """Row: out of memory above a batch size, from the middle on. Batches are halved until they fit; none is blamed."""
    sizes: set[int] = set()

    class Scarce(HashEmbedder):
        def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
            if len(self.embedded) > CHUNKS // 2 and len(texts) > 10:
                raise MemoryError(f"{len(texts)} texts")
            sizes.add(len(texts))
            return super().embed(texts)

    with place.services(Scarce()) as services:
        result = run(services)

    assert result.error is None
    assert (result.report.vectorized_count, result.report.failed_count) == (CHUNKS, 0)
    again = 1 + CHUNKS // 2000  # which a check embeds once more
    assert sizes == {len(REFERENCE_TEXTS), BATCH_SIZE, BATCH_SIZE // 4, again}
    finish(place, pending=0, later=_NOW)


def test_every_answer_is_bad_from_the_middle_on(place: Place) -> None:
    """Row: every answer is bad. The run fails and says that it is the embedder; no chunk is blamed for it."""

    class Breaking(HashEmbedder):
        def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
            vectors = super().embed(texts)
            return vectors if len(self.embedded) <= CHUNKS // 2 else vectors * np.nan

    with place.services(Breaking()) as services:
        result = run(services)

    assert result.error is not None
    assert result.error.startswith("the embedder 'hash' fails on any text")
    assert "so the chunks are not at fault" in result.error
    committed = (_BATCH - 1) * BATCH_SIZE
    found = finish(place, pending=CHUNKS - committed)
    assert (len(found.current), len(found.quarantined)) == (committed, 0)


def test_the_model_hangs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row: the model hangs. The run fails when its time is over, its process ends by itself, and no chunk is blamed."""
    monkeypatch.setenv("VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS", "1")
    with place.started_run("embed", _BATCH) as child:
        monkeypatch.delenv("VECTOR_ASSETS_EMBED_TIMEOUT_SECONDS")
        assert child.stdout.readline() == "embed\n"  # and nobody tells it to go on
        assert child.wait(SECONDS) == 0
        end = child.stdout.read()

    assert end.startswith("the embedder 'hash' did not answer within 1 s")
    assert end.count("\n") == 1
    committed = (_BATCH - 1) * BATCH_SIZE
    found = finish(place, pending=CHUNKS - committed)
    assert (len(found.current), len(found.quarantined)) == (committed, 0)
