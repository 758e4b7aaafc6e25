"""How documents are chunked is the database's: no model and no setting changes it, but `rechunk` does."""

from functools import cached_property
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from vector_assets.storage.database import Database

from ..defs.conftest import US, land, sentences
from ..fakes import HashEmbedder, WordTokenCounter, rows
from .conftest import OTHER, Command, counts


class OtherTokenCounter(WordTokenCounter):
    """Another model's, with less room."""

    room_for_text = 50

    @cached_property
    def tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "other": 1}, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = Whitespace()
        return tokenizer


@pytest.fixture
def embedded(command: Command, filings: Path, models: dict[str, HashEmbedder]) -> dict[str, HashEmbedder]:
    """The filings are chunked as the serving model's tokenizer counts, and all chunks are current."""
    models[OTHER.source].counter = OtherTokenCounter()
    assert command("ingest", str(filings)).exit_code == 0
    assert command("backfill").exit_code == 0
    return models


def chunks(database: Database) -> list[tuple]:
    """All of them, with their ids."""
    return rows(database, "SELECT id, text FROM document_chunks ORDER BY id")


def recipe(database: Database) -> str:
    """Its name."""
    ((identity,),) = rows(database, "SELECT identity FROM chunking")
    return str(identity)


@pytest.mark.usefixtures("embedded")
def test_another_model_chunks_nothing_again(command: Command, landing: Path, database: Database) -> None:
    """Neither what is there nor, otherwise than before, what arrives; the vectors stay."""
    before, name = chunks(database), recipe(database)
    assert command("spaces", "add", OTHER.source, "--yes").exit_code == 0

    said = command("ingest", str(landing), EMBEDDING_MODEL=OTHER.source)

    assert "Nothing new." in said.output
    land(landing, US, "2025.txt", sentences(1))
    assert command("ingest", str(landing), EMBEDDING_MODEL=OTHER.source).exit_code == 0
    assert [chunk for chunk in chunks(database) if chunk in before] == before
    assert recipe(database) == name
    assert {row[0] for row in rows(database, "SELECT DISTINCT chunked_by FROM documents")} == {name}


@pytest.mark.usefixtures("embedded")
def test_a_changed_setting_is_reported_and_nothing_else(
    command: Command, landing: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`doctor` says what `rechunk` would change."""
    before = chunks(database)
    monkeypatch.setenv("VECTOR_ASSETS_CHUNK_TOKENS", "32")

    assert "Nothing new." in command("ingest", str(landing)).output

    (line,) = [line for line in command("doctor").output.splitlines() if "chunking" in line]
    assert recipe(database) in line
    assert "vector-assets rechunk" in line
    assert chunks(database) == before


@pytest.mark.usefixtures("embedded")
def test_rechunk_says_what_it_costs_and_does_it(
    command: Command, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks whose text is the same keep their ids and vectors; the others are pending."""
    before, name = chunks(database), recipe(database)
    monkeypatch.setenv("VECTOR_ASSETS_CHUNK_TOKENS", "40")

    said = command("rechunk", "--yes")

    assert said.exit_code == 0, said.output
    assert f"{len(before)} chunks in 2 partitions" in said.output
    assert recipe(database) != name
    kept = [chunk for chunk in chunks(database) if chunk in before]
    assert [text for _, text in kept] == ["999001 2024-01\n董事会审议通过了年度报告。"]
    assert counts(command, "current") == {"cn/announcement/999001": 1, str(US): 0}
    assert command("rechunk").output == "Nothing to do: the documents are chunked like this already.\n"


@pytest.mark.usefixtures("embedded")
def test_rechunk_asks_first(command: Command, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer, nothing is changed."""
    before, name = chunks(database), recipe(database)
    monkeypatch.setenv("VECTOR_ASSETS_CHUNK_TOKENS", "40")

    said = command("rechunk")

    assert said.exit_code == 1
    assert "Go on?" in said.output
    assert (chunks(database), recipe(database)) == (before, name)
