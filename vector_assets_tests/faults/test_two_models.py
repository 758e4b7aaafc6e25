"""Processes with different models on one database, while texts are edited: each fills its own space, if it has one."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import URL

from vector_assets.domain.spaces import EmbeddingSpace, SpaceStatus
from vector_assets.errors import SpaceNotLive
from vector_assets.storage.database import Database

from ..fakes import KEY, SPACE, FakeServices, HashEmbedder, rows, store_chunks
from ..invariants import check_invariants
from .conftest import empty_place
from .places import Place, texts

# Of another dimension, so that a vector in the wrong table is seen.
OTHER = replace(SPACE, model="other", dimension=12, source="org/other")

_RUNS = 30
_CHUNKS = 60
_BATCH_SIZE = 8
_INGESTED_AGAIN = "the document is ingested again"
_EDITS = [
    "UPDATE document_chunks SET text = text || ' edited' WHERE chunk_index = %s",
    "UPDATE document_chunks SET text = text || ' edited' WHERE chunk_index %% 20 = %s %% 20",
    "DELETE FROM document_chunks WHERE chunk_index = %s",
    f"DELETE FROM chunk_vectors_{SPACE.slug} WHERE chunk_id = (SELECT id FROM document_chunks WHERE chunk_index = %s)",
    _INGESTED_AGAIN,
]


@pytest.fixture
def place(database_url: URL, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A few chunks, all of them current in the serving space."""
    place = empty_place(database_url, tmp_path, landing, monkeypatch)
    place.fill(_CHUNKS)
    with place.services() as services:
        services.vectorizer(_BATCH_SIZE).vectorize_partition(KEY)
    return place


def edit(database: Database, drawn: random.Random) -> None:
    """As another program does, or ingestion."""
    statement = drawn.choice(_EDITS)
    if statement is _INGESTED_AGAIN:
        store_chunks(database, [f"{text} {drawn.randrange(3)}" for text in texts(_CHUNKS)])
    else:
        rows(database, statement, drawn.randrange(_CHUNKS))


class Process:
    """One that starts again and again with the same model. Texts are edited before each run and while it embeds.

    It keeps what its runs did, and which spaces served after them. `added_at` is the run before which somebody adds its
    space.
    """

    def __init__(self, place: Place, space: EmbeddingSpace, added_at: int | None) -> None:
        self._place = place
        self._space = space
        self._added_at = added_at
        self._drawn = random.Random(space.slug)
        self.refused = 0
        self.vectorized: list[int] = []
        self.embedded: list[str] = []
        self.served: set[EmbeddingSpace | None] = set()

    def work(self) -> None:
        for number in range(_RUNS):
            with self._place.services(HashEmbedder(self._space)) as services:
                if number == self._added_at:
                    services.add_space()
                edit(services.database, self._drawn)
                services.embedder.before = lambda _, services=services: self._edit_now_and_then(services)
                try:
                    report = services.vectorizer(_BATCH_SIZE).vectorize_partition(KEY)
                    self.vectorized.append(report.vectorized_count)
                except SpaceNotLive:
                    self.refused += 1
                self.embedded += services.embedder.embedded
                self.served.add(services.spaces.serving())

    def _edit_now_and_then(self, services: FakeServices) -> None:
        if self._drawn.random() < 0.3:
            edit(services.database, self._drawn)


def work_at_once(place: Place, added_at: int | None) -> tuple[Process, Process]:
    """Two processes: the one of the serving space, and the one of the other."""
    processes = Process(place, SPACE, None), Process(place, OTHER, added_at)
    with ThreadPoolExecutor(2) as pool:
        for working in [pool.submit(process.work) for process in processes]:
            working.result()
    return processes


def finish_in(place: Place, space: EmbeddingSpace) -> None:
    """Nobody edits any more: all is whole, and one run embeds what is pending in the space, and nothing else."""
    with place.services(HashEmbedder(space)) as services:
        pending = len(check_invariants(services.database, HashEmbedder(space)).pending)
        report = services.vectorizer(_BATCH_SIZE).vectorize_partition(KEY)
        assert (report.vectorized_count, report.superseded_count) == (pending, 0)
        found = check_invariants(services.database, HashEmbedder(space))
        assert (found.pending, found.quarantined) == ([], [])
        assert len(found.current) > _CHUNKS // 2


def traces(database: Database, space: EmbeddingSpace) -> list[str]:
    """The tables in which there is anything of a space, its own table among them."""
    tables = ["embedding_spaces", "pending_chunks", "reference_vectors", "last_runs"]
    found = [
        name for name in tables if rows(database, f"SELECT 1 FROM {name} t WHERE t::text LIKE %s", f"%{space.slug}%")
    ]
    return found + [
        name for (name,) in rows(database, "SELECT to_regclass(%s)::text", f"chunk_vectors_{space.slug}") if name
    ]


def test_a_process_of_an_unknown_space_changes_nothing(place: Place) -> None:
    """Row: a process with another model, on the database that another one works on. It is refused each time."""
    serving, unknown = work_at_once(place, added_at=None)

    assert (unknown.refused, unknown.vectorized, unknown.embedded) == (_RUNS, [], [])
    assert serving.refused == 0
    assert sum(serving.vectorized) > _RUNS
    assert serving.served | unknown.served == {SPACE}
    with place.services() as services:
        assert [item.space for item in services.spaces.all()] == [SPACE]
        assert traces(services.database, OTHER) == []
        assert len(traces(services.database, SPACE)) >= 3
    finish_in(place, SPACE)
    place.check_nothing_left()


def test_two_processes_each_fill_their_own_space(place: Place) -> None:
    """Row: the same, and the other space is added in the middle. Then both are live, and each gets its own vectors."""
    added_at = _RUNS // 10

    serving, filling = work_at_once(place, added_at)

    assert (serving.refused, filling.refused) == (0, added_at)
    assert min(sum(serving.vectorized), sum(filling.vectorized)) > _RUNS
    assert serving.served | filling.served == {SPACE}
    with place.services() as services:
        statuses = {item.space: item.status for item in services.spaces.all()}
    assert statuses == {SPACE: SpaceStatus.SERVING, OTHER: SpaceStatus.FILLING}
    for space in (SPACE, OTHER):
        finish_in(place, space)
    place.check_nothing_left()
