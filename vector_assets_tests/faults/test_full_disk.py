"""The database server's disk is full: one clear line, and nothing that was committed goes away."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import URL

from vector_assets.errors import DatabaseFull
from vector_assets.index_upkeep import IndexOptions

from ..fakes import KEY, SPACE, FakeServices, HashEmbedder, store_chunks
from ..invariants import check_invariants
from .conftest import empty_place
from .mounts import forbidden
from .places import BATCH_SIZE, CHUNKS, SECONDS, Place, administrator, finish, texts
from .small_server import SmallServer
from .test_search_during_migration import Unheard

pytestmark = pytest.mark.skipif(bool(forbidden()), reason=forbidden())

_BATCHES = 10
# Bytes in which the databases fit, and not much more: the vectors' alone, or all that a server has.
_SIZES = {"tablespace": 24 << 20, "all": 140 << 20}


@pytest.mark.parametrize("full", ["tablespace", "all"])
def test_a_full_disk_ends_the_run_and_the_next_does_the_rest(
    full: str, server_url: URL, folder: Path, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row: the server is out of disk, for the vectors, or for Dagster's events as well.

    The run says so in one line and its batches stay; with space again, the next run does the rest.
    """
    with SmallServer(folder, _SIZES[full], full) as server:
        if full == "tablespace":
            make_small_database(server)
        place = empty_place(server.url, tmp_path, landing, monkeypatch)
        place.fill()

        with place.started_run("event", _BATCHES) as child:
            assert child.stdout.readline() == "event\n"
            server.fill()
            end = child.communicate("\n", SECONDS)[0]
        assert "No space left on device" in end
        assert end.count("\n") == 1
        assert full != "tablespace" or end.startswith("the disk of the database server is full")
        before = kept(place)
        assert len(before) >= _BATCHES * BATCH_SIZE
        server.empty()

        finish(place, pending=CHUNKS - len(before))
        assert before <= kept(place)


def make_small_database(server: SmallServer) -> None:
    """On the server's small disk; its log and its other databases have room."""
    with administrator(server.url) as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{server.disk}/tablespace'")
        connection.execute("CREATE DATABASE filings TABLESPACE small")


def test_a_full_disk_ends_the_build_of_an_index(folder: Path, tmp_path: Path, landing: Path) -> None:
    """Row: the server is out of disk while an index is built. Searches go on; with space, the next build passes."""
    with SmallServer(folder, _SIZES["tablespace"], "tablespace") as server:
        make_small_database(server)
        with FakeServices(server.url, tmp_path / "home", landing, index_from_vectors=100) as services:
            store_chunks(services.database, texts())
            services.vectorizer(500).vectorize_partition(KEY)
            upkeep, wanted = services.index_upkeep, services.search.find("word 7")
            server.fill()

            with pytest.raises(DatabaseFull, match="No space left on device"):
                upkeep.keep(SPACE, IndexOptions(), Unheard())

            assert services.search.find("word 7") == wanted
            server.empty()
            assert upkeep.keep(SPACE, IndexOptions(), Unheard()).passed
            assert [index.is_valid for index in upkeep.catalog.state(SPACE.slug).indexes] == [True]


def kept(place: Place) -> set[UUID]:
    """Chunks with a vector."""
    with place.services() as services:
        return set(check_invariants(services.database, HashEmbedder()).current)
