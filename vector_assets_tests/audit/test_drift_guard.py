"""An embedder that no longer makes the vectors it made: noticed before anything is stored, and accepted when meant."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import URL

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import Vectors
from vector_assets.errors import EmbedderBroken, EmbedderDrifted, WeightsChanged
from vector_assets.storage.migrate import migrate

from ..fakes import DIMENSION, KEY, SPACE, FakeServices, HashEmbedder, rows, store_chunks
from ..invariants import check_invariants


class Turned(HashEmbedder):
    """The same model as before, but all its vectors are turned by an angle, away from what they were."""

    def __init__(self, cosine: float) -> None:
        super().__init__()
        self._cosine = cosine
        self.device = "another device"

    def embed(self, texts: list[TokenizedText]) -> Vectors:
        vectors = super().embed(texts)
        aside = np.roll(vectors, 1, axis=1) * np.tile([1, -1], DIMENSION // 2)
        aside -= (aside * vectors).sum(axis=1, keepdims=True) * vectors
        aside /= np.linalg.norm(aside, axis=1, keepdims=True)
        return (self._cosine * vectors + np.sqrt(1 - self._cosine**2) * aside).astype(np.float32)


@pytest.fixture
def places(database_url: URL, tmp_path: Path) -> Iterator[list[FakeServices]]:
    """Processes one after another; each has its own parts, closed at the end."""
    opened: list[FakeServices] = []
    migrate(database_url)

    yield opened

    for services in opened:
        services.close()


def start(places: list[FakeServices], url: URL, home: Path, embedder: HashEmbedder) -> FakeServices:
    """Another process begins."""
    places.append(FakeServices(url, home, home, embedder))
    return places[-1]


@pytest.fixture
def filled(places: list[FakeServices], database_url: URL, tmp_path: Path) -> FakeServices:
    """Two current chunks, and one that is pending."""
    services = start(places, database_url, tmp_path, HashEmbedder())
    store_chunks(services.database, ["one", "two"])
    services.vectorizer().vectorize_partition(KEY)
    store_chunks(services.database, ["three"], name="b.txt")
    return services


def test_another_process_with_the_same_embedder_goes_on(
    places: list[FakeServices], filled: FakeServices, database_url: URL, tmp_path: Path
) -> None:
    """Rounding is no drift."""
    services = start(places, database_url, tmp_path, Turned(0.9992))

    assert services.vectorizer().vectorize_partition(KEY).vectorized_count == 1

    assert services.drift.result is not None
    assert services.drift.result.lowest == pytest.approx(0.9992, abs=1e-6)


def test_drift_stops_the_run_before_anything_is_stored(
    places: list[FakeServices], filled: FakeServices, database_url: URL, tmp_path: Path
) -> None:
    """One line says what was seen, what made the vectors then and now, and what to do."""
    services = start(places, database_url, tmp_path, Turned(0.99))

    with pytest.raises(EmbedderDrifted, match=r"cosine of 0\.9900 .*made by cpu; now another device.*--accept-drift"):
        services.vectorizer().vectorize_partition(KEY)

    assert rows(services.database, f"SELECT count(*) FROM chunk_vectors_{SPACE.slug}") == [(2,)]
    assert filled.vectorizer().vectorize_partition(KEY).vectorized_count == 1


def test_how_far_is_drift_is_a_setting(
    places: list[FakeServices],
    filled: FakeServices,
    database_url: URL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What stopped the run goes on, with vectors that are as far from the former ones as was allowed."""
    monkeypatch.setenv("VECTOR_ASSETS_QUALITY_LIMITS", '{"min_drift_cosine": 0.98}')
    services = start(places, database_url, tmp_path, Turned(0.99))

    assert services.vectorizer().vectorize_partition(KEY).vectorized_count == 1


def test_accepted_drift_gets_a_space_of_its_own(
    places: list[FakeServices], filled: FakeServices, database_url: URL, tmp_path: Path
) -> None:
    """All chunks are pending there; later processes find it by themselves, and the former space stays as it was."""
    services = start(places, database_url, tmp_path, Turned(0.99))

    accepted = services.accept_drift()

    assert accepted.space == replace(SPACE, generation=1)
    assert services.space == SPACE
    assert [item.pending for item in accepted.pending_partitions()] == [3]
    assert accepted.vectorizer().vectorize_partition(KEY).vectorized_count == 3
    again = start(places, database_url, tmp_path, Turned(0.99))
    assert again.accept_drift() is again
    assert again.space == accepted.space == again.spaces.active()
    assert again.vectorizer().vectorize_partition(KEY).total == 0
    assert check_invariants(again.database, Turned(0.99), again.space).pending == []
    assert rows(services.database, f"SELECT count(*) FROM chunk_vectors_{SPACE.slug}") == [(2,)]


def test_changed_weights_can_be_accepted_too(
    places: list[FakeServices], filled: FakeServices, database_url: URL, tmp_path: Path
) -> None:
    """They are refused by their digest, whatever the vectors are."""
    changed = replace(SPACE, weights_digest="other")
    services = start(places, database_url, tmp_path, HashEmbedder(changed))
    with pytest.raises(WeightsChanged):
        services.vectorizer()

    accepted = services.accept_drift()

    assert accepted.vectorizer().vectorize_partition(KEY).vectorized_count == 3
    assert services.accept_drift().space == accepted.space, "the drift was accepted once more"
    assert accepted.space == replace(changed, generation=1)


def test_where_nothing_has_changed_nothing_is_accepted(filled: FakeServices) -> None:
    """Nor in a database without any vector, where there is nothing to compare with."""
    assert filled.accept_drift() is filled
    assert filled.space == SPACE


def test_nothing_is_accepted_on_an_empty_database(
    places: list[FakeServices], database_url: URL, tmp_path: Path
) -> None:
    """The first space is the first one."""
    services = start(places, database_url, tmp_path, HashEmbedder())

    assert services.accept_drift() is services

    assert services.spaces.active() is None


def test_an_embedder_that_fails_on_the_fixed_texts_is_broken(
    places: list[FakeServices], filled: FakeServices, database_url: URL, tmp_path: Path
) -> None:
    """Not the chunks: none is quarantined."""

    class Broken(HashEmbedder):
        def embed(self, texts: list[TokenizedText]) -> Vectors:
            raise RuntimeError("out of order")

    services = start(places, database_url, tmp_path, Broken())

    with pytest.raises(EmbedderBroken, match="out of order"):
        services.vectorizer().vectorize_partition(KEY)

    assert rows(services.database, "SELECT count(*) FROM chunk_failures") == [(0,)]
