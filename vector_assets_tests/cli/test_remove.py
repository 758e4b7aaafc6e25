"""`vector-assets remove`: documents and whole partitions, from the tables and from Dagster."""

from pathlib import Path

import pytest

from vector_assets.defs.partitions import PARTITIONS_NAME, registered
from vector_assets.defs.runtime.instance import open_instance
from vector_assets.services import Services
from vector_assets.settings import load_settings
from vector_assets.storage.database import Database

from ..defs.conftest import CN, US, land, sentences
from ..fakes import HashEmbedder, rows
from .conftest import Command, counts


@pytest.fixture
def embedded(command: Command, filings: Path, embedder: HashEmbedder) -> None:
    """Three documents in two partitions, all chunks current, and a file that could not be read."""
    land(filings, US, "2023.txt", sentences(2))
    land(filings, US, "broken.pdf", "no PDF")
    command("ingest", str(filings))
    assert command("backfill").exit_code == 0


def left(database: Database) -> tuple[int, int, int]:
    """Documents, rejections and chunks."""
    ((documents, rejections, chunks),) = rows(
        database,
        "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM document_rejections), "
        "(SELECT count(*) FROM document_chunks)",
    )
    return documents, rejections, chunks


@pytest.mark.usefixtures("embedded")
def test_a_partition_goes_with_all_that_was_made_of_it(command: Command, database: Database) -> None:
    """The plan comes first, and changes nothing without a yes; the other partition stays."""
    before = left(database)
    plan = command("remove", str(US).lower())
    assert str(US) in plan.output
    assert "landing" in plan.output
    assert left(database) == before

    removed = command("remove", str(US).lower(), "--yes")

    assert removed.exit_code == 0, removed.output
    assert counts(command, "chunks") == {str(CN): 1}
    assert left(database) == (1, 0, 1)
    with Services(load_settings()) as services, open_instance(services) as instance:
        assert registered(instance) == [CN]
    assert command("search", "sentence", "--json").stdout.count(str(US)) == 0


@pytest.mark.usefixtures("embedded")
def test_one_document_goes_and_its_partition_stays(command: Command, database: Database) -> None:
    """By its file name, in any letter case."""
    removed = command("remove", US.stock_code, "--document", "2023*", "--yes")

    assert removed.exit_code == 0, removed.output
    assert rows(database, "SELECT source_uri FROM documents ORDER BY 1") == [
        (f"{CN}/2024-01.txt",),
        (f"{US}/2024.txt",),
    ]
    assert "No document matches" in command("remove", US.stock_code, "--document", "2023*", "--yes").output


@pytest.mark.usefixtures("embedded")
def test_a_document_that_is_named_leaves_other_partitions_alone(command: Command) -> None:
    """Also one that Dagster knows and that has no document; and a key that is none of ours stops nothing."""
    with Services(load_settings()) as services, open_instance(services) as instance:
        instance.add_dynamic_partitions(PARTITIONS_NAME, ["us/announcement/XNONE", "typed by hand"])

        removed = command("remove", "us/", "--document", "2023*", "--yes")

        assert removed.exit_code == 0, removed.output
        assert {str(key) for key in registered(instance)} >= {"us/announcement/XNONE", str(US)}


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("no-such",), 1), (("a/b/c/d",), 1)])
def test_what_names_nothing_removes_nothing(
    arguments: tuple[str, ...], code: int, command: Command, database: Database
) -> None:
    """Above all the command without an argument."""
    before = left(database)

    result = command("remove", *arguments, "--yes")

    assert (result.exit_code, left(database)) == (code, before)
