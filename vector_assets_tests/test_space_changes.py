"""A space is compared and promoted: the gates, and what force skips. In memory, with vectors of the texts' hashes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from vector_assets.audit.drift_guard import DriftGuard
from vector_assets.audit.space_audit import SpaceAudit
from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.questions import Question
from vector_assets.domain.spaces import EmbeddingSpace, SpaceStatus, Vectors
from vector_assets.errors import (
    EmbedderBroken,
    EmbedderDrifted,
    FewerHits,
    ModelNotFound,
    NoSpaceToFill,
    NothingServedBefore,
    NothingToCompare,
    SpaceIncomplete,
    SpaceNotFound,
    SpaceRetired,
)
from vector_assets.search import Searcher
from vector_assets.space_changes import SpaceChanges

from .fakes import KEY, SPACE, HashEmbedder, make_vectorizer, store_chunks, vector_of
from .memory.database import MemoryDatabase
from .stores import MemoryStores

OTHER = replace(SPACE, model="other", source="org/other")
TEXTS = ["sales", "costs", "debt", "cash", "staff", "rent", "taxes", "risks"]
QUESTIONS = [Question(text, frozenset({f"{KEY}/{text}.txt"})) for text in TEXTS[:3]]


class Deaf(HashEmbedder):
    """It embeds documents as it did, and questions as something else."""

    def embed_query(self, text: str) -> Vectors:
        return -vector_of(text, self.space.dimension)


class Drifted(HashEmbedder):
    """Its vectors point the other way now."""

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        return -super().embed(texts)


class Mute(HashEmbedder):
    """It fails on any question."""

    def embed_query(self, text: str) -> Vectors:
        raise RuntimeError("no kernel for this device")


class Place:
    """Two spaces in memory, the models that find them, and what changes them."""

    def __init__(self) -> None:
        self.stores = MemoryStores(MemoryDatabase())
        self.models = {space.slug: HashEmbedder(space) for space in (SPACE, OTHER)}
        audit = SpaceAudit(self.stores.pairs, self.stores.reference_vectors, self._searcher, None, 0.999)
        self.changes = SpaceChanges(self.stores.spaces, audit)

    def _searcher(self, space: EmbeddingSpace) -> Searcher:
        if space.slug not in self.models:
            raise ModelNotFound(space.source, "its folder is gone")
        return Searcher(self.models[space.slug], self.stores.vectors(space.slug))

    def embed(self, space: EmbeddingSpace, limit: int | None = None) -> None:
        """Embed what is pending in the space."""
        embedder, stores = self.models[space.slug], self.stores
        vectorizer = make_vectorizer(
            stores.database, embedder, chunks=stores.chunks(space.slug), vectors=stores.vectors(space.slug)
        )
        DriftGuard(embedder, stores.reference_vectors, space, 0.999).check()
        vectorizer.vectorize_partition(KEY, limit=limit)

    def statuses(self) -> list[SpaceStatus]:
        """Those of the two spaces."""
        return [item.status for item in self.stores.spaces.all()]


@pytest.fixture
def place() -> Place:
    """One space serves, and the other one is complete beside it."""
    place = Place()
    for text in TEXTS:
        store_chunks(place.stores.database, [text], name=f"{text}.txt")
    for space in (SPACE, OTHER):
        place.embed(space)
    return place


BEFORE, AFTER = [SpaceStatus.SERVING, SpaceStatus.FILLING], [SpaceStatus.FILLING, SpaceStatus.SERVING]


def test_two_spaces_are_compared(place: Place) -> None:
    """By what both have, by the questions, and by their times; the same models see the chunks alike."""
    seen: list[tuple[str, int, int]] = []

    found = place.changes.compare(OTHER.slug, QUESTIONS, lambda *progress: seen.append(progress))

    assert (found.one.overview.registered.space, found.other.overview.registered.space) == (SPACE, OTHER)
    assert (found.overlap.chunks, found.overlap.neighbors, found.overlap.share) == (8, 7, 1.0)
    assert found.questions == 3
    for space in (found.one, found.other):
        assert space.answers is not None
        assert space.answers.by_search.hits == space.answers.by_vectors.hits == (3, 3, 3)
        assert space.answers.answering_seconds > 0
    assert {("", 8, 8), (SPACE.slug, 3, 3), (OTHER.slug, 3, 3)} <= set(seen)


def test_without_questions_only_the_speed_of_answers_is_known(place: Place) -> None:
    """The beginnings of chunks are asked for."""
    found = place.changes.compare()

    assert found.questions == 0
    assert found.other.answers is not None
    assert found.other.answers.embedding_seconds > 0


def test_a_space_whose_model_is_gone_is_compared_by_what_it_stores(place: Place) -> None:
    """The other one answers nevertheless."""
    del place.models[SPACE.slug]

    found = place.changes.compare(questions=QUESTIONS)

    assert isinstance(found.one.problem, ModelNotFound)
    assert found.other.answers is not None
    assert found.overlap.share == 1.0


def test_a_model_that_fails_on_questions_is_a_problem_of_its_space(place: Place) -> None:
    """It is reported with the model's own words."""
    place.models[OTHER.slug] = Mute(OTHER)

    found = place.changes.compare(questions=QUESTIONS)

    assert isinstance(found.other.problem, EmbedderBroken)
    assert "no kernel for this device" in str(found.other.problem)


def test_a_space_is_not_compared_with_itself(place: Place) -> None:
    """Nor with one that is not there."""
    with pytest.raises(NothingToCompare, match=SPACE.slug):
        place.changes.compare(SPACE.slug)
    with pytest.raises(SpaceNotFound, match=f"nearest are {OTHER.slug}"):
        place.changes.compare("other")
    place.stores.spaces.retire(OTHER.slug)
    with pytest.raises(NoSpaceToFill):
        place.changes.compare()
    assert place.changes.compare(OTHER.slug).overlap.share == 1.0


def test_a_space_that_passes_all_gates_is_promoted(place: Place) -> None:
    """What was compared is kept with it."""
    change = place.changes.promote(questions=QUESTIONS)

    assert place.statuses() == AFTER
    assert (change.serves, change.failed) == (OTHER, ())
    assert change.drift is not None
    assert change.drift.lowest == pytest.approx(1.0)
    assert [(slug, answers.by_search.hits) for slug, answers in change.answers] == [
        (SPACE.slug, (3, 3, 3)),
        (OTHER.slug, (3, 3, 3)),
    ]
    assert [item.registered.status for item in change.before] == BEFORE
    assert place.changes.promote(OTHER.slug).answers == ()  # it serves already: nothing is asked
    assert place.changes.rollback().serves == SPACE
    assert place.statuses() == BEFORE


@pytest.mark.parametrize(
    ("model", "error"), [(Deaf(OTHER), FewerHits), (Drifted(OTHER), EmbedderDrifted), (Mute(OTHER), FewerHits)]
)
def test_a_gate_that_fails_keeps_a_space_from_serving(
    place: Place, model: HashEmbedder, error: type[Exception]
) -> None:
    """By force it serves, and the gate is named."""
    place.models[OTHER.slug] = model

    with pytest.raises(error):
        place.changes.promote(questions=QUESTIONS)

    assert place.statuses() == BEFORE
    change = place.changes.promote(force=True, questions=QUESTIONS)
    assert [type(failed) for failed in change.failed] == [error]
    assert place.statuses() == AFTER


def test_force_names_every_gate_that_fails(place: Place) -> None:
    """Each is tried, also where one before it has failed."""
    store_chunks(place.stores.database, ["new"], name="new.txt")
    del place.models[OTHER.slug]

    with pytest.raises(SpaceIncomplete, match="1 pending"):
        place.changes.promote(questions=QUESTIONS)
    change = place.changes.promote(force=True, questions=QUESTIONS)

    assert [type(failed) for failed in change.failed] == [SpaceIncomplete, ModelNotFound, FewerHits]


def test_a_serving_space_without_its_model_stands_in_no_way(place: Place) -> None:
    """It answers nothing, so that no other one finds less."""
    del place.models[SPACE.slug]

    assert place.changes.promote(questions=QUESTIONS).failed == ()


def test_a_retired_space_is_not_promoted_by_force_either(place: Place) -> None:
    """It would miss what came since; and there is nothing to go back to."""
    place.stores.spaces.retire(OTHER.slug)

    with pytest.raises(SpaceRetired):
        place.changes.promote(OTHER.slug, force=True)
    with pytest.raises(NothingServedBefore):
        place.changes.rollback()
    assert place.changes.unchanged().serves == SPACE
