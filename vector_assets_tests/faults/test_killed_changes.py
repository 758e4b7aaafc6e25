"""A change of the spaces whose process is killed, wherever it stands: it is done wholly or not at all."""

from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import URL

from vector_assets.domain.spaces import LIVE, EmbeddingSpace

from ..fakes import KEY, SPACE, HashEmbedder, rows
from ..forked_programs import ForkedProgram
from ..invariants import Findings, check_invariants
from .conftest import empty_place
from .places import SECONDS, Place, administrator, eventually, program
from .started_command import AFTER_COMMIT, OTHER
from .test_killed import kill

_EDIT = "UPDATE document_chunks SET text = text || ' edited' WHERE chunk_index % 100 = 3"
_LOCK_AS_WRITERS_DO = "LOCK TABLE document_chunks IN ROW EXCLUSIVE MODE"
_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = %s AND wait_event_type = 'Lock' AND application_name = 'vector_assets'
"""


class Change(NamedTuple):
    """A command, the statuses of the other space before and after it, and that of the first one afterwards."""

    arguments: tuple[str, ...]
    before: str | None
    after: str | None
    first: str = "serving"


CHANGES = {
    "add": Change(("add", "org/other", "--yes"), None, "filling"),
    "add again": Change(("add", "org/other", "--yes"), "retired", "filling"),
    "promote": Change(("promote", OTHER.slug, "--force"), "filling", "serving", "filling"),
    "retire": Change(("retire", OTHER.slug), "filling", "retired"),
    "drop": Change(("drop", OTHER.slug, "--yes"), "filling", None),
}

# Where each of them stands, by the beginnings of its statements; these are done, and the transaction is open.
STANDS = [
    ("add", "INSERT INTO embedding_spaces"),
    ("add", "INSERT INTO pending_chunks"),
    ("add", AFTER_COMMIT),
    ("add again", "INSERT INTO pending_chunks"),
    ("promote", "UPDATE embedding_spaces SET status = 'retired'"),
    ("promote", "UPDATE embedding_spaces SET status = 'filling'"),
    ("promote", "UPDATE embedding_spaces SET status = 'serving'"),
    ("promote", AFTER_COMMIT),
    ("retire", "DELETE FROM pending_chunks"),
    ("drop", "DROP TABLE"),
]


@pytest.fixture
def place(
    database_url: URL, dagster_database: None, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Some hundred chunks."""
    monkeypatch.delenv("EMBEDDING_MODEL")
    place = empty_place(database_url, tmp_path, landing, monkeypatch)
    place.fill(300)
    return place


def started(place: Place, point: str, change: Change) -> ForkedProgram:
    """The command in a process of its own; see started_command.py."""
    environment = {
        "VECTOR_ASSETS_DATABASE_URL": place.url.render_as_string(hide_password=False),
        "VECTOR_ASSETS_HOME": str(place.home), "VECTOR_ASSETS_LANDING_DIR": str(place.landing),
    }  # fmt: skip
    return ForkedProgram(f"{__package__}.started_command", point, "spaces", *change.arguments, environment=environment)


def embed(place: Place, space: EmbeddingSpace) -> None:
    """All that is pending there."""
    with place.services(HashEmbedder(space)) as services:
        services.vectorizer().vectorize_partition(KEY)


def set_up(place: Place, change: Change) -> None:
    """One space serves, and the other one is as it has to be before. Each had all its vectors; then texts changed."""
    embed(place, SPACE)
    with place.services(HashEmbedder(OTHER)) as services:
        if change.before:
            services.add_space()
            embed(place, OTHER)
        if change.before == "retired":
            services.spaces.retire(OTHER.slug)
        rows(services.database, _EDIT)


def tables(place: Place) -> dict[str, list[tuple]]:
    """All rows of all tables of the product."""
    with place.services() as services:
        names = rows(
            services.database, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'vector_assets' ORDER BY 1"
        )
        return {name: rows(services.database, f"SELECT t::text FROM {name} t ORDER BY 1") for (name,) in names}


def statuses(place: Place) -> dict[str, str]:
    """Slug -> status."""
    with place.services() as services:
        return {item.space.slug: item.status.value for item in services.spaces.all()}


def statuses_after(change: Change) -> dict[str, str]:
    return {SPACE.slug: change.first} | ({OTHER.slug: change.after} if change.after else {})


def check(place: Place) -> dict[str, Findings]:
    """Check the invariants in each live space."""
    with place.services() as services:
        live = [item.space for item in services.spaces.all() if item.status in LIVE]
        return {space.slug: check_invariants(services.database, HashEmbedder(space)) for space in live}


def check_it_can_be_done_again(place: Place, change: Change) -> None:
    """The same command succeeds, or has succeeded; whatever is pending then gets its vectors."""
    with started(place, "none", change) as child:
        assert child.wait(SECONDS) == 0, child.stdout.read()
    assert statuses(place) == statuses_after(change)
    found = check(place)
    assert all(each.pending for each in found.values())
    for space in (SPACE, OTHER):
        if space.slug in found:
            embed(place, space)
    assert all(each.pending == [] for each in check(place).values())
    place.check_nothing_left()


@pytest.mark.parametrize(("name", "point"), STANDS, ids=[f"{name}: {point}" for name, point in STANDS])
def test_a_change_killed_at_a_point(place: Place, name: str, point: str) -> None:
    """Row: the process of `spaces add`, `promote`, `retire` or `drop` is killed. All is as before, or all as after."""
    change = CHANGES[name]
    set_up(place, change)
    before = tables(place)

    with started(place, point, change) as child:
        while (line := child.stdout.readline()) != f"{point}\n":
            assert line, "the command came to its end"
        kill(child)
    place.check_nothing_left()

    after = tables(place)
    if point == AFTER_COMMIT:
        assert statuses(place) == statuses_after(change)
        assert after["document_chunks"] == before["document_chunks"]
        assert set(after["pending_chunks"]) >= set(before["pending_chunks"])
    else:
        assert after == before
    check(place)
    check_it_can_be_done_again(place, change)


@pytest.mark.parametrize("name", ["add", "drop"])
def test_a_change_killed_while_it_waits_for_a_writer(place: Place, name: str) -> None:
    """Row: the same, while it waits for whoever writes chunks. What the server does for it comes to nothing."""
    change = CHANGES[name]
    set_up(place, change)
    before = tables(place)

    with program(place) as writer, administrator(place.url) as admin:
        writer.execute(_LOCK_AS_WRITERS_DO)
        with started(place, "none", change) as child:
            eventually(lambda: admin.execute(_WAITING, [place.url.database]).fetchone() == (1,))
            kill(child)
    place.check_nothing_left()

    assert tables(place) == before
    check_it_can_be_done_again(place, change)
