"""Runs and sensors of processes whose space is the first one, filling, not live, or retired meanwhile."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL

from vector_assets.defs.asset_keys import CANDIDATE_VECTORS, DOCUMENT_CHUNKS, VECTORIZED_CHUNKS
from vector_assets.defs.assets import candidate_vectors
from vector_assets.defs.partitions import register
from vector_assets.defs.resources import SilentListener, run_resources
from vector_assets.defs.runtime.tags import RANGE_END_TAG, RANGE_START_TAG
from vector_assets.defs.sensors import candidate_sensor, landing_sensor, new_chunks_sensor
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.domain.spaces import SpaceStatus
from vector_assets.errors import SpaceNotLive
from vector_assets.storage.database import Database

from ..fakes import SPACE, FakeServices, HashEmbedder, rows, store_chunks
from .conftest import CN, US, land
from .test_assets import counts, failure, materialize, metadata
from .test_candidate_vectors import fill
from .test_partition_ranges import KEYS, A, D, materialized, run
from .test_sensors import requested, tick

SERVING = replace(SPACE, source="org/serving")
OTHER = replace(SPACE, model="other", source="org/other")


@pytest.fixture
def services(database_url: URL, tmp_path: Path, landing: Path) -> Iterator[FakeServices]:
    """The process that comes first, whose space serves."""
    with FakeServices(
        database_url, tmp_path / "home", landing, HashEmbedder(SERVING), others=[HashEmbedder(OTHER)]
    ) as services:
        yield services


@pytest.fixture
def other(database_url: URL, tmp_path: Path, landing: Path) -> Iterator[FakeServices]:
    """Another process over the same database, which is configured for another model."""
    with FakeServices(
        database_url, tmp_path / "home", landing, HashEmbedder(OTHER), others=[HashEmbedder(SERVING)]
    ) as services:
        yield services


def tables(database: Database) -> dict[str, list[tuple]]:
    """All rows of all tables of the product."""
    names = rows(database, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'vector_assets' ORDER BY 1")
    return {name: rows(database, f"SELECT t::text FROM {name} t ORDER BY 1") for (name,) in names}


def statuses(services: FakeServices) -> dict[str, str]:
    """Slug -> status of each space."""
    return {item.space.slug: item.status.value for item in services.spaces.all()}


def edit(services: FakeServices) -> None:
    """One chunk of the partition becomes pending."""
    rows(services.database, "UPDATE document_chunks SET text = 'edited' WHERE chunk_index = 0 AND market = 'us'")


def unknown(_: FakeServices) -> str:
    """The database has no such space."""
    return "org/other, whose embedding space is not in the database"


def retired(services: FakeServices) -> str:
    """The database has it, and keeps it as it is."""
    services.spaces.add(OTHER)
    services.spaces.retire(OTHER.slug)
    return "org/other, whose embedding space is retired"


@pytest.fixture(params=[unknown, retired])
def words(request: pytest.FixtureRequest, instance: dg.DagsterInstance, services: FakeServices, filings: Path) -> str:
    """One space serves, one chunk is pending there, and the other one is not live: what the error says of it."""
    make: Callable[[FakeServices], str] = request.param
    assert materialize(instance, services, US).success
    edit(services)
    services.term_filler.fill(US)  # terms are the same in all spaces, and any run makes them
    return make(services)


def test_a_run_of_a_space_that_is_not_live_changes_nothing(
    words: str, instance: dg.DagsterInstance, services: FakeServices, other: FakeServices
) -> None:
    """It fails with one line, which names what serves and both ways out."""
    before = tables(services.database)

    result = materialize(instance, other, US)

    assert not result.success
    assert failure(result) == (
        f"the database serves org/serving; this process is configured for {words}. Nothing was changed. Unset "
        "EMBEDDING_MODEL to work with what serves, or fill the other space beside it: vector-assets spaces add "
        "org/other."
    )
    assert tables(services.database) == before
    assert other.embedder.embedded == []
    assert metadata(materialize(instance, services, US), VECTORIZED_CHUNKS)["vectorized"] == 1


def test_a_range_of_a_space_that_is_not_live_ends_with_its_first_partition(
    words: str, instance: dg.DagsterInstance, services: FakeServices, other: FakeServices
) -> None:
    """The others would fail alike, so that they are not tried."""
    for key in KEYS:
        store_chunks(services.database, ["a"], key)
    register(instance, KEYS)
    before = tables(services.database)

    result = run(instance, other)

    assert failure(result).startswith(f"1 of 4 partitions failed, 0 are done. 3 were not tried. {A}: the database")
    assert words in failure(result)
    assert tables(services.database) == before


def test_services_of_a_space_that_is_not_live_give_no_loop_and_no_pending_partitions(
    words: str, services: FakeServices, other: FakeServices
) -> None:
    """Whoever asks for them from Python is refused, before anything is read."""
    for ask in (other.vectorizer, other.pending_partitions):
        with pytest.raises(SpaceNotLive, match=words):
            ask()
    assert [item.partition for item in services.pending_partitions()] == [US]


def test_the_tick_of_a_space_that_is_not_live_is_skipped(
    words: str, instance: dg.DagsterInstance, services: FakeServices, other: FakeServices
) -> None:
    """With the same line, and without a run for what is pending in the space that serves."""
    before = tables(services.database)

    result = tick(new_chunks_sensor, instance, other)

    assert isinstance(result, dg.SkipReason)
    assert words in result.skip_message
    assert "vector-assets spaces add org/other" in result.skip_message
    assert "\n" not in result.skip_message
    assert tables(services.database) == before
    assert requested(tick(new_chunks_sensor, instance, services)) == [str(US)]


@pytest.mark.usefixtures("words")
def test_filings_arrive_whatever_model_a_process_has(
    instance: dg.DagsterInstance, services: FakeServices, other: FakeServices, landing: Path
) -> None:
    """Documents and chunks are of no space: the chunks become pending in the one that is live."""
    land(landing, US, "2025.txt", "net sales")
    assert str(US) in requested(tick(landing_sensor, instance, other))

    materialize(instance, other, US)

    assert counts(services) == (10, 2)  # the edited chunk still has its former vector


class Unloadable(HashEmbedder):
    """Its files are there, and cannot be loaded."""

    def load(self) -> None:
        raise RuntimeError("the weights are truncated")


class Mute(HashEmbedder):
    """It loads, and embeds nothing."""

    def __init__(self) -> None:
        super().__init__(poison="")
        self.tokenize = lambda _: 1 / 0  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize("broken", [Unloadable, Mute])
def test_a_model_that_does_not_work_registers_nothing(
    broken: type[HashEmbedder],
    instance: dg.DagsterInstance,
    database_url: URL,
    tmp_path: Path,
    services: FakeServices,
    filings: Path,
) -> None:
    """The database is still one without spaces, in which another model may be the first."""
    with FakeServices(database_url, tmp_path / "home", filings, broken()) as its:
        assert not materialize(instance, its, US).success

    assert statuses(services) == {}
    assert counts_of_queue(services) == 0
    assert requested(tick(new_chunks_sensor, instance, services)) == [str(US)]
    assert materialize(instance, services, US).success
    assert statuses(services) == {SPACE.slug: SpaceStatus.SERVING}


def counts_of_queue(services: FakeServices) -> int:
    ((count,),) = rows(services.database, "SELECT count(*) FROM pending_chunks")
    return count


def test_the_first_run_registers_its_space_as_serving(
    instance: dg.DagsterInstance, services: FakeServices, filings: Path
) -> None:
    """With all chunks in its queue: those of partitions that the run is not about, too."""
    store_chunks(services.database, ["a", "b"], CN)

    assert materialize(instance, services, US, {"limit": 4}).success

    assert statuses(services) == {SPACE.slug: "serving"}
    assert counts(services) == (4, 8)
    assert sorted(requested(tick(new_chunks_sensor, instance, services))) == [str(CN), str(US)]


def test_a_run_of_the_filling_space_leaves_the_serving_one_alone(
    instance: dg.DagsterInstance, services: FakeServices, other: FakeServices, filings: Path
) -> None:
    """Each space has its own queue, its own vectors and its own runs; then the two change places."""
    assert materialize(instance, services, US).success
    other.spaces.add(OTHER)
    edit(services)
    serving = rows(services.database, f"SELECT t::text FROM chunk_vectors_{SPACE.slug} t ORDER BY 1")

    totals = metadata(fill(instance, other), CANDIDATE_VECTORS)

    assert (totals["vectorized"], totals["coverage_percent"]) == (10, 100.0)
    assert isinstance(tick(candidate_sensor, instance, other), dg.SkipReason)
    assert requested(tick(new_chunks_sensor, instance, services)) == [str(US)]
    assert rows(services.database, f"SELECT t::text FROM chunk_vectors_{SPACE.slug} t ORDER BY 1") == serving
    assert metadata(materialize(instance, services, US), VECTORIZED_CHUNKS)["vectorized"] == 1
    services.spaces.promote(OTHER.slug)
    assert statuses(services) == {SPACE.slug: "filling", OTHER.slug: "serving"}
    edit(services)
    for each in (services, other):
        again = metadata(materialize(instance, each, US), VECTORIZED_CHUNKS)
        assert (again["vectorized"], again["coverage_percent"]) == (0, 100.0)  # the text is what it was


def fill_and_add_another(instance: dg.DagsterInstance, services: FakeServices, other: FakeServices) -> None:
    """Fill the serving space of four partitions, and add one that lacks all of their chunks."""
    for key in KEYS:
        store_chunks(services.database, ["a"], key)
    register(instance, KEYS)
    assert run(instance, services).success
    other.spaces.add(OTHER)


def test_chunks_that_a_new_space_lacks_are_no_writes_of_another_program(
    instance: dg.DagsterInstance, services: FakeServices, other: FakeServices
) -> None:
    """They became pending there because of the space, and not because somebody wrote them."""
    fill_and_add_another(instance, services, other)

    result = dg.materialize(
        [candidate_vectors],
        instance=instance,
        resources=run_resources(other, SilentListener()),
        tags={RANGE_START_TAG: A, RANGE_END_TAG: D},
    )

    assert set(materialized(instance, result, CANDIDATE_VECTORS)) == {str(key) for key in KEYS}
    assert materialized(instance, result, DOCUMENT_CHUNKS) == {}


def test_a_space_that_is_retired_during_a_run_gets_nothing_more(
    instance: dg.DagsterInstance, services: FakeServices, other: FakeServices, filings: Path
) -> None:
    """The run fails in one line; what was committed stays, and filling the space again needs only the rest."""
    assert materialize(instance, services, US).success
    other.spaces.add(OTHER)
    assert fill(instance, other, limit=4).success
    embedder: HashEmbedder = other.embedder
    embedder.before = lambda _: services.spaces.retire(OTHER.slug)

    result = fill(instance, other)

    assert not result.success
    assert failure(result).startswith("this process is configured for org/other, whose embedding space is retired.")
    assert "\n" not in failure(result)
    embedder.before = lambda _: None
    other.spaces.add(OTHER)
    assert metadata(fill(instance, other), CANDIDATE_VECTORS)["vectorized"] == 6


class Retiring(SilentListener):
    """Retires the filling space once a batch is committed."""

    def __init__(self, services: FakeServices) -> None:
        self._services = services

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        self._services.spaces.retire(OTHER.slug)


def test_a_range_whose_space_is_retired_after_a_partition_leaves_the_next_one_alone(
    instance: dg.DagsterInstance, services: FakeServices, other: FakeServices
) -> None:
    """The space is asked for before each partition: not even the terms are made of what another program has edited."""
    fill_and_add_another(instance, services, other)
    rows(services.database, "UPDATE document_chunks SET text = 'edited'")

    result = dg.materialize(
        [candidate_vectors],
        instance=instance,
        resources=run_resources(other, Retiring(services)),
        tags={RANGE_START_TAG: A, RANGE_END_TAG: D},
        raise_on_error=False,
    )

    assert "whose embedding space is retired" in failure(result)
    assert set(materialized(instance, result, CANDIDATE_VECTORS)) == {A}
    queued = rows(services.database, "SELECT stock_code FROM pending_terms ORDER BY stock_code")
    assert queued == [(key.stock_code,) for key in KEYS[1:]]


def test_of_two_first_runs_the_second_is_refused(
    instance: dg.DagsterInstance, services: FakeServices, other: FakeServices, filings: Path
) -> None:
    """Both began in a database without spaces; the space of one was registered while the other's model was loaded."""
    embedder: HashEmbedder = other.embedder
    embedder.load = lambda: services.spaces.register_first(SPACE)  # type: ignore[method-assign]

    result = materialize(instance, other, US)

    assert not result.success
    assert "org/other, whose embedding space is not in the database" in failure(result)
    assert statuses(services) == {SPACE.slug: "serving"}
