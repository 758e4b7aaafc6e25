"""A client searches in a loop while the model or the index is changed: no answer is empty, mixed, worse or an error."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import URL

from vector_assets.domain.search import SearchHit
from vector_assets.domain.spaces import EmbeddingSpace
from vector_assets.index_upkeep import IndexOptions
from vector_assets.vector_index.build_progress import BuildProgress
from vector_assets.vector_index.recall import NEIGHBORS

from ..fakes import KEY, SPACE, FakeServices, HashEmbedder, rows, store_chunks, vector_of

TEXTS = [f"chunk {number} of an invented filing" for number in range(300)]
ASKED = TEXTS[::10]
# So many hits that the ten nearest are among them, whatever their terms.
CANDIDATES = 100
# Of all answers, and of each: one neighbor of ten may be missed.
LEAST_MEAN_RECALL, LEAST_RECALL = 0.97, 0.9
SERVING = replace(SPACE, source="org/serving")
# Of another dimension: a question's vector that met the other table would be an error of the database.
OTHER = replace(SPACE, model="other", source="org/other", dimension=16)
ROUNDS = 5

# In the view: how many chunks, of how many spaces.
_SEEN = "SELECT count(*), count(DISTINCT metadata ->> 'space') FROM filings_search"


class Unheard:
    """Hears of the index and does nothing."""

    def notice(self, line: str) -> None:
        pass

    def warning(self, line: str) -> None:
        pass

    def progress(self, progress: BuildProgress) -> None:
        pass


class Client:
    """Asks for one chunk after the other by its text, and reads the view, in a thread, until it is stopped.

    `recalls` has the recall@10 of each answer: how many of the vectors that are nearest to the question, in the space
    that answered, the ranking by vectors has among its first ten.
    """

    def __init__(self, services: FakeServices) -> None:
        self._services = services
        self._stop = threading.Event()
        self._answered = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._ask)
        self._nearest = [nearest_texts(space) for space in (SERVING, OTHER)]
        self.wrong: list[object] = []
        self.recalls: list[float] = []

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def await_answers(self) -> None:
        """Wait for three more, so that one of them was asked for after this call."""
        for _ in range(3):
            assert self._answered.acquire(timeout=60), self.wrong

    def _ask(self) -> None:
        while not self._stop.is_set() and not self.wrong:
            for text in ASKED:
                try:
                    hits = self._services.search.find(text, limit=CANDIDATES)
                    seen = rows(self._services.database, _SEEN)
                except Exception as error:
                    self.wrong.append(error)
                    return
                if len(hits) != CANDIDATES or hits[0].text != text or (hits[0].score or 0) < 0.99:
                    self.wrong.append(hits)
                if seen != [(len(TEXTS), 1)]:
                    self.wrong.append(seen)
                found = nearest_of(hits)
                self.recalls.append(max(len(nearest[text] & found) for nearest in self._nearest) / NEIGHBORS)
                self._answered.release()


def nearest_texts(space: EmbeddingSpace) -> dict[str, set[str]]:
    """Compare each question with each text, as the space's model does."""
    vectors = np.stack([vector_of(text, space.dimension) for text in TEXTS])
    asked = np.stack([vector_of(text, space.dimension) for text in ASKED])
    best = np.argsort(-asked @ vectors.T, axis=1)[:, :NEIGHBORS]
    return {text: {TEXTS[place] for place in places} for text, places in zip(ASKED, best, strict=True)}


def nearest_of(hits: list[SearchHit]) -> set[str]:
    """Give the texts that the ranking by vectors has first."""
    return {hit.text for hit in hits if hit.dense_rank is not None and hit.dense_rank <= NEIGHBORS}


@pytest.fixture
def processes(database_url: URL, tmp_path: Path, landing: Path) -> Iterator[list[FakeServices]]:
    """Three: one embeds what serves, one what is filled, and one only searches."""
    spaces = [SERVING, OTHER, SERVING]
    made = [
        FakeServices(
            database_url,
            tmp_path / "home",
            landing,
            HashEmbedder(space),
            others=[HashEmbedder(SERVING), HashEmbedder(OTHER)],
            index_from_vectors=100,
        )
        for space in spaces
    ]
    yield made
    for services in made:
        services.close()


def test_a_client_sees_nothing_of_a_migration(processes: list[FakeServices]) -> None:
    """Add, fill, promote, roll back, promote again, retire and drop, several times over; build and renew the index."""
    serving, filling, searching = processes
    store_chunks(serving.database, TEXTS)
    serving.vectorizer().vectorize_partition(KEY)
    with Client(searching) as client:
        for number in range(ROUNDS):
            filling.spaces.add(OTHER)
            client.await_answers()
            filling.vectorizer(40).vectorize_partition(KEY)
            for space in (SERVING, OTHER) if number < 2 else ():
                report = serving.index_upkeep.keep(space, IndexOptions(rebuild=True), Unheard())
                assert report.used is not None
            for promoted in (OTHER, SERVING, OTHER, SERVING):
                serving.spaces.promote(promoted.slug)
                client.await_answers()
            serving.spaces.retire(OTHER.slug)
            serving.spaces.drop(OTHER.slug)
            client.await_answers()
    assert client.wrong == []
    assert np.mean(client.recalls) >= LEAST_MEAN_RECALL
    assert min(client.recalls) >= LEAST_RECALL
