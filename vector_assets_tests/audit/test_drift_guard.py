"""An embedder that no longer makes the vectors it made is noticed before anything is stored; it can get a new space."""

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


class Broken(HashEmbedder):
    """Fails on any text."""

    def embed(self, texts: list[TokenizedText]) -> Vectors:
        raise RuntimeError("out of order")


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

    with pytest.raises(EmbedderDrifted, match=r"cosine of 0\.9900 .*made by cpu; now another device.*spaces add"):
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


def test_a_model_that_drifted_gets_a_space_of_its_own_when_it_is_added(
    places: list[FakeServices], filled: FakeServices, database_url: URL, tmp_path: Path
) -> None:
    """All chunks are pending there; later processes find it by themselves, and the former space goes on serving."""
    services = start(places, database_url, tmp_path, Turned(0.99))

    added = services.add_space()

    assert added == services.space == replace(SPACE, generation=1)
    assert services.spaces.serving() == filled.space == SPACE
    assert [item.pending for item in services.pending_partitions()] == [3]
    assert services.vectorizer().vectorize_partition(KEY).vectorized_count == 3
    again = start(places, database_url, tmp_path, Turned(0.99))
    assert again.space == again.add_space() == added
    assert again.vectorizer().vectorize_partition(KEY).total == 0
    assert check_invariants(again.database, Turned(0.99), added).pending == []
    assert rows(services.database, f"SELECT count(*) FROM chunk_vectors_{SPACE.slug}") == [(2,)]


def test_changed_weights_get_a_space_of_their_own_too(
    places: list[FakeServices], filled: FakeServices, database_url: URL, tmp_path: Path
) -> None:
    """They are refused by their digest, whatever the vectors are."""
    changed = replace(SPACE, weights_digest="other")
    services = start(places, database_url, tmp_path, HashEmbedder(changed))
    with pytest.raises(WeightsChanged):
        services.vectorizer()

    added = services.add_space()

    assert added == replace(changed, generation=1)
    assert services.vectorizer().vectorize_partition(KEY).vectorized_count == 3
    assert services.add_space() == added, "it was added once more"


def test_a_model_that_has_not_changed_keeps_its_space(filled: FakeServices) -> None:
    """Adding it changes nothing: it is live."""
    assert filled.add_space() == SPACE

    assert [item.space for item in filled.spaces.all()] == [SPACE]
    assert filled.spaces.serving() == SPACE


def test_the_first_run_registers_its_space_when_the_model_has_embedded_a_text(
    places: list[FakeServices], database_url: URL, tmp_path: Path
) -> None:
    """A model that fails on any text gets none; asking for the loop, or for what is pending, registers nothing."""
    broken = start(places, database_url, tmp_path, Broken())
    store_chunks(broken.database, ["one"])
    assert [item.pending for item in broken.pending_partitions()] == [1]
    with pytest.raises(EmbedderBroken):
        broken.vectorizer().vectorize_partition(KEY)
    assert broken.spaces.all() == []

    services = start(places, database_url, tmp_path, HashEmbedder())
    vectorizer = services.vectorizer()
    assert services.spaces.all() == []
    assert vectorizer.vectorize_partition(KEY).vectorized_count == 1

    assert services.spaces.serving() == SPACE


def test_a_broken_model_is_not_added(places: list[FakeServices], filled: FakeServices, database_url: URL) -> None:
    """Not even as a space without vectors."""
    other = replace(SPACE, model="other")
    services = start(places, database_url, filled.settings.home, Broken(other))

    with pytest.raises(EmbedderBroken):
        services.add_space()

    assert services.spaces.status(other) is None


def test_an_embedder_that_fails_on_the_fixed_texts_is_broken(
    places: list[FakeServices], filled: FakeServices, database_url: URL, tmp_path: Path
) -> None:
    """Not the chunks: none is quarantined."""
    services = start(places, database_url, tmp_path, Broken())

    with pytest.raises(EmbedderBroken, match="out of order"):
        services.vectorizer().vectorize_partition(KEY)

    assert rows(services.database, "SELECT count(*) FROM pending_chunks WHERE attempts > 0") == [(0,)]
