"""`vector-assets spaces`: another model is filled beside the one that serves, promoted, taken back and removed."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import URL

from vector_assets.cli import main, terminal
from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import EmbeddingSpace, Vectors
from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL
from vector_assets.errors import InvalidModel
from vector_assets.storage.database import Database

from ..defs.conftest import US, land, sentences
from ..fakes import HashEmbedder, rows
from ..snapshots import Snapshots
from .conftest import OTHER, SERVING, THIRD, Command, counts

Models = dict[str, HashEmbedder]


def listed(command: Command) -> dict[str, dict[str, Any]]:
    """What `spaces --json` has for each space."""
    return {item["slug"]: item for item in json.loads(command("spaces", "--json").stdout)["spaces"]}


def statuses(command: Command) -> dict[str, str]:
    """Slug -> status."""
    return {slug: item["status"] for slug, item in listed(command).items()}


def answered(answer: str, *arguments: str) -> Result:
    """The result of a command whose question is answered."""
    return CliRunner().invoke(main, list(arguments), input=answer)


def refused(result: Result) -> str:
    """The one line of a command that did nothing."""
    assert result.exit_code == 1, result.output
    (line,) = result.output.strip().splitlines()
    return line


def forgetful(models: Models) -> Models:
    """The models, whose records hold only what a test embeds after its fixtures."""
    for embedder in models.values():
        embedder.embedded.clear()
    return models


@pytest.fixture
def serving(command: Command, filings: Path, models: Models, snapshots: Snapshots, database_url: URL) -> Models:
    """The bundled model's space serves, with four current chunks in two partitions."""
    if not snapshots.restore("serving", database_url):
        command("ingest", str(filings))
        assert command("backfill").exit_code == 0
        snapshots.keep("serving", database_url)
    return forgetful(models)


@pytest.fixture
def filling(command: Command, serving: Models) -> Models:
    """Beside it, another model's space is filled; it has no vector yet."""
    assert command("spaces", "add", "org/other", "--yes").exit_code == 0
    return serving


@pytest.fixture
def complete(
    request: pytest.FixtureRequest, command: Command, models: Models, snapshots: Snapshots, database_url: URL
) -> Models:
    """It has all of them."""
    if not snapshots.restore("complete", database_url):
        request.getfixturevalue("filling")
        assert command("backfill", EMBEDDING_MODEL="org/other").exit_code == 0
        snapshots.keep("complete", database_url)
    return forgetful(models)


def test_an_empty_database_has_none(command: Command, models: Models) -> None:
    """It says how to get the first, and is valid JSON."""
    assert "vector-assets backfill" in command("spaces").output
    assert json.loads(command("spaces", "--json").stdout) == {"spaces": []}
    assert "vector-assets spaces" in refused(command("spaces", "rollback"))


def test_the_table_shows_what_each_space_is_for_and_how_complete_it_is(
    command: Command, filling: Models, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row each, the oldest first."""
    monkeypatch.setattr(terminal.out, "width", 200)
    land(landing, US, "bad.txt", "POISON")
    command("ingest", str(landing))
    command("backfill")

    shown = command("spaces")

    assert shown.exit_code == 0
    header, *lines = [line.split() for line in shown.output.splitlines() if line.strip(" ─")]
    assert header == ["space", "model", "status", "coverage", "pending", "quarantined", "size", "registered"]
    assert [line[:6] for line in lines] == [
        [SERVING.slug, MULTILINGUAL_MODEL, "serving", "80.0%", "1", "0"],  # it has another attempt
        [OTHER.slug, "org/other", "filling", "0%", "5", "0"],
    ]
    command("spaces", "retire", OTHER.slug)
    retired = command("spaces").output.strip().splitlines()[-1].split()
    assert retired[:3] == [OTHER.slug, "org/other", "retired"]
    assert retired[3].replace(".", "").isdigit()  # the size, for a retired space has no queue to count
    assert {len(command("spaces", "--json").stdout.splitlines())} == {1}


def test_a_narrow_terminal_shows_the_names_of_spaces_whole(
    command: Command, filling: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are copied into the next command."""
    monkeypatch.setattr(terminal.out, "width", 80)

    shown = command("spaces").output

    assert SERVING.slug in shown
    assert OTHER.slug in shown


def test_the_json_has_all_figures(command: Command, filling: Models) -> None:
    """Of a retired space the coverage is unknown."""
    first, second = listed(command).values()

    assert set(first) == set(second) == {
        "slug", "model", "revision", "dimension", "status", "coverage", "pending", "quarantined", "bytes", "created_at",
    }  # fmt: skip
    assert [first[name] for name in ("slug", "model", "revision", "dimension", "status", "coverage", "pending")] == [
        SERVING.slug, MULTILINGUAL_MODEL, "1", 8, "serving", 1.0, 0,
    ]  # fmt: skip
    assert [second[name] for name in ("status", "coverage", "pending", "quarantined")] == ["filling", 0.0, 4, 0]
    assert first["bytes"] > 0
    command("spaces", "retire", OTHER.slug)
    assert [listed(command)[OTHER.slug][name] for name in ("status", "coverage", "pending")] == ["retired", None, 0]


def test_adding_a_model_says_what_it_takes_and_asks(command: Command, serving: Models) -> None:
    """Without a yes nothing changes; with one, all chunks are pending there, and none is embedded yet."""
    asked = answered("n\n", "spaces", "add", "org/other")

    assert asked.exit_code == 1
    assert asked.output.startswith(f"{OTHER.slug}: 2 partitions, 4 chunks, about ")
    assert "on disk" in asked.output
    assert "Go on? [y/N]" in asked.output
    assert statuses(command) == {SERVING.slug: "serving"}

    added = answered("y\n", "spaces", "add", "org/other")

    assert added.exit_code == 0, added.output
    assert added.output.splitlines()[-1] == (
        f"{OTHER.slug} is being filled. Embed its chunks: EMBEDDING_MODEL=org/other vector-assets backfill"
    )
    assert statuses(command) == {SERVING.slug: "serving", OTHER.slug: "filling"}
    assert listed(command)[OTHER.slug]["pending"] == 4
    assert serving["org/other"].embedded == []


def test_adding_a_model_again_changes_nothing(command: Command, complete: Models) -> None:
    """Neither while it is filled nor when it serves; the output says which of them it is."""
    before = listed(command)

    again = command("spaces", "add", "org/other", "--yes")

    assert again.exit_code == 0
    assert f"{OTHER.slug} is being filled" in again.output
    assert listed(command) == before
    serving = command("spaces", "add", MULTILINGUAL_MODEL, "--yes")
    assert serving.exit_code == 0
    assert "is being filled" not in serving.output
    assert listed(command) == before


def test_only_one_model_is_filled_at_a_time(command: Command, filling: Models) -> None:
    """The line names the space in the way, and the command that stops it; nobody is asked to agree to a plan before."""
    for agreed in ((), ("--yes",)):
        assert refused(command("spaces", "add", "org/third", *agreed)).endswith(
            f"To add org/third, stop that one first: vector-assets spaces retire {OTHER.slug}."
        )

    assert THIRD.slug not in statuses(command)
    command("spaces", "retire", OTHER.slug)
    assert command("spaces", "add", "org/third", "--yes").exit_code == 0
    assert statuses(command) == {SERVING.slug: "serving", OTHER.slug: "retired", THIRD.slug: "filling"}


def test_a_model_is_added_with_the_prompts_of_the_settings(command: Command, serving: Models) -> None:
    """It is another space than the model without them; the plan shows them, and the next command has them."""
    prompt = {"EMBEDDING_QUERY_PROMPT": "query: it's "}
    new = replace(SERVING, query_prompt="query: it's ").slug

    added = command("spaces", "add", MULTILINGUAL_MODEL, "--yes", **prompt)

    assert statuses(command) == {SERVING.slug: "serving", new: "filling"}
    assert '"query: it\'s " before each question' in added.output
    backfill = (
        f"EMBEDDING_MODEL={MULTILINGUAL_MODEL} EMBEDDING_QUERY_PROMPT='query: it'\"'\"'s ' vector-assets backfill"
    )
    assert added.output.endswith(f"Embed its chunks: {backfill}\n")
    assert f"Embed them: {backfill}. " in refused(command("spaces", "promote", new))
    assert command("backfill", EMBEDDING_MODEL=MULTILINGUAL_MODEL, **prompt).exit_code == 0
    assert listed(command)[new]["coverage"] == 1.0


class Unloadable(HashEmbedder):
    """Its files are there, and cannot be loaded."""

    def load(self) -> None:
        raise InvalidModel("org/other", "the weights are truncated")


class TooLarge(HashEmbedder):
    """Its files are there, and larger than the memory."""

    def load(self) -> None:
        raise MemoryError("bad allocation")


class Mute(HashEmbedder):
    """It loads, and fails on any text."""

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        raise RuntimeError("no kernel for this device")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Unloadable, "the weights are truncated"),
        (TooLarge, "the memory does not suffice to load the model"),
        (Mute, "no kernel for this device"),
    ],
)
def test_a_model_that_does_not_work_is_not_added(
    make: Callable[..., HashEmbedder], words: str, command: Command, serving: Models
) -> None:
    """It would have a queue that nobody can empty, and stand in the way of another one."""
    serving["org/other"] = make(OTHER)

    result = command("spaces", "add", "org/other", "--yes")

    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output
    assert statuses(command) == {SERVING.slug: "serving"}


@pytest.mark.parametrize("model", ["", " "])
def test_a_model_without_a_name_is_refused(model: str, command: Command, serving: Models) -> None:
    """It is a variable that is not set, and does not mean the model that serves."""
    added = command("spaces", "add", model, "--yes")

    assert added.exit_code == 2
    assert added.stderr.endswith("Error: Name a model, e.g. intfloat/multilingual-e5-small.\n")


def test_a_model_that_is_not_found_is_one_line(command: Command, serving: Models) -> None:
    """Before anything is asked."""
    assert "unknown model 'org/none'" in refused(command("spaces", "add", "org/none"))
    assert statuses(command) == {SERVING.slug: "serving"}


@pytest.mark.parametrize(
    ("changed", "new", "words"),
    [
        (replace(SERVING, weights_digest="others"), replace(SERVING, generation=1).slug, "the weights of"),
        (replace(SERVING, dimension=16), replace(SERVING, dimension=16).slug, "dimension 16"),
    ],
    ids=["weights", "dimension"],
)
def test_a_model_with_other_weights_or_dimension_gets_a_space_of_its_own(
    command: Command, serving: Models, changed: EmbeddingSpace, new: str, words: str
) -> None:
    """The vectors of the two cannot be compared; the former space serves until the other one is promoted."""
    serving[MULTILINGUAL_MODEL] = HashEmbedder(changed)

    added = command("spaces", "add", MULTILINGUAL_MODEL, "--yes")

    assert added.exit_code == 0, added.output
    assert added.output.startswith(f"{new}: 2 partitions, 4 chunks")
    assert statuses(command) == {SERVING.slug: "serving", new: "filling"}
    assert command("backfill").exit_code == 0
    assert words in refused(command("search", "anything"))
    problems = [item["problem"] for item in json.loads(command("spaces", "compare", "--json").stdout)["spaces"]]
    assert words in problems[0]
    assert problems[1] is None
    assert command("spaces", "promote", new).exit_code == 0
    assert command("search", "anything").exit_code == 0


def test_a_space_that_is_added_to_an_empty_database_is_filled_and_promoted(
    command: Command, filings: Path, models: Models
) -> None:
    """Meanwhile nothing serves, and another model is not taken for the first one."""
    command("ingest", str(filings))
    assert command("spaces", "add", "org/other", "--yes").exit_code == 0
    assert statuses(command) == {OTHER.slug: "filling"}

    assert "vector-assets spaces add" in refused(command("backfill"))
    assert "there are no vectors to search" in refused(command("search", "anything"))
    assert command("backfill", EMBEDDING_MODEL="org/other").exit_code == 0
    assert command("spaces", "promote", OTHER.slug).exit_code == 0

    assert command("search", "anything").exit_code == 0
    assert command("backfill").output.startswith("Nothing to do")
    assert statuses(command) == {OTHER.slug: "serving"}


def test_a_complete_space_is_promoted_and_taken_back(command: Command, complete: Models) -> None:
    """Each time the two change places, and both stay up to date."""
    promoted = command("spaces", "promote", OTHER.slug)

    assert (promoted.exit_code, promoted.output) == (0, f"{OTHER.slug} serves.\n")
    assert statuses(command) == {SERVING.slug: "filling", OTHER.slug: "serving"}
    again = command("spaces", "promote", OTHER.slug)
    assert (again.exit_code, again.output) == (0, f"{OTHER.slug} serves.\n")

    back = command("spaces", "rollback")

    assert (back.exit_code, back.output) == (0, f"{SERVING.slug} serves.\n")
    assert statuses(command) == {SERVING.slug: "serving", OTHER.slug: "filling"}
    assert {item["coverage"] for item in listed(command).values()} == {1.0}


def test_a_rollback_goes_back_also_where_chunks_are_pending_by_now(
    command: Command, complete: Models, landing: Path
) -> None:
    """Somebody who wants the former space back is not kept waiting."""
    command("spaces", "promote", OTHER.slug)
    land(landing, US, "new.txt", "net sales")
    command("ingest", str(landing))

    assert command("spaces", "rollback").exit_code == 0

    assert statuses(command)[SERVING.slug] == "serving"
    assert listed(command)[SERVING.slug]["pending"] == 1


def test_there_is_nothing_to_go_back_to_where_no_other_space_has_served(command: Command, complete: Models) -> None:
    """The one that is filled has not, and one that was retired is not up to date."""
    assert "no embedding space" in refused(command("spaces", "rollback"))
    assert statuses(command) == {SERVING.slug: "serving", OTHER.slug: "filling"}

    command("spaces", "promote", OTHER.slug)
    command("spaces", "retire", SERVING.slug)

    assert "no embedding space" in refused(command("spaces", "rollback"))
    assert statuses(command) == {SERVING.slug: "retired", OTHER.slug: "serving"}


def questions_in(folder: Path) -> str:
    """A file with a question that finds its chunk by the same text, and one about a document that is not there."""
    file = folder / "questions.jsonl"
    about = [(sentences(1), f"{US}/2024.txt"), ("anything", "us/annual_report/NONE/2024.txt")]
    rows = [{"query": query, "relevant_documents": [document]} for query, document in about]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return str(file)


def test_the_filling_space_is_compared_with_the_serving_one(
    command: Command, complete: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a table, with a warning of questions that nobody can answer, and as JSON."""
    monkeypatch.setattr(terminal.out, "width", 200)
    questions = questions_in(tmp_path)

    shown = command("spaces", "compare", "--questions", questions)

    assert shown.exit_code == 0, shown.output
    cells = [re.split(r" {2,}", line.strip()) for line in shown.stdout.splitlines()]
    assert [SERVING.slug, OTHER.slug] in cells
    assert ["coverage", "100%", "100%"] in cells
    assert ["search: hits at 5, of 2", "1 (0.500)", "1 (0.500)"] in cells
    assert "3 chunks that are nearest to a chunk, 100% are the same" in shown.stdout
    assert shown.stderr.startswith("warning: 1 question names no document of the database")
    found = json.loads(command("spaces", "compare", OTHER.slug, "--questions", questions, "--json").stdout)
    assert (found["questions"], found["questions_without_documents"]) == (2, 1)
    assert found["overlap"] == {"chunks": 4, "sampled": 4, "neighbors": 3, "share": 1.0}
    assert [item["slug"] for item in found["spaces"]] == [SERVING.slug, OTHER.slug]
    assert found["spaces"][1]["search"]["hits_at_10"] == 1
    assert f"{SERVING.slug} serves" in refused(command("spaces", "compare", SERVING.slug))
    assert "cannot be read" in refused(command("spaces", "compare", "--questions", str(tmp_path / "none")))
    assert statuses(command) == {SERVING.slug: "serving", OTHER.slug: "filling"}


def test_commands_are_about_the_space_that_is_named(command: Command, filling: Models, landing: Path) -> None:
    """Without a name, about the serving one. A retired one can be looked at, as what it is."""
    filling["org/other"].poison = "w0x0"
    command("backfill", "--market", "us", EMBEDDING_MODEL="org/other")
    at_other = ("--space", OTHER.slug)

    assert json.loads(command("failures", "--json").stdout)["failures"] == []
    listed_there = command("failures", *at_other)
    assert "1 with another attempt" in listed_there.output
    assert listed_there.output.endswith(f"vector-assets retry-failed --space {OTHER.slug}\n")
    filling["org/other"].poison = "nothing"
    assert "1 now vectorized" in command("retry-failed", *at_other).output
    assert "not searched" in command("status", *at_other).output
    there = json.loads(command("status", "--json", *at_other).stdout)
    assert there["space"]["status"] == "filling"
    assert [(item["partition"][:2], item["pending"]) for item in there["partitions"]] == [("cn", 1), ("us", 0)]
    assert json.loads(command("status", "--json").stdout)["space"]["slug"] == SERVING.slug

    command("spaces", "retire", OTHER.slug)
    land(landing, US, "new.txt", "net sales")
    command("ingest", str(landing))

    assert "not updated" in command("status", *at_other).output
    assert json.loads(command("status", "us/", "--json", *at_other).stdout)["partitions"][0]["pending"] == 1
    found = command("search", "net sales", *at_other)
    assert "2024.txt" in found.stdout
    assert "new.txt" not in found.stdout
    assert found.stderr.startswith(f"warning: {OTHER.slug} is retired")
    assert "Fill it first" in refused(command("retry-failed", *at_other))
    for name in ("search anything", "status", "failures", "retry-failed"):
        assert f"The nearest are {OTHER.slug}" in refused(command(*name.split(), "--space", "other_8"))


def test_an_incomplete_space_is_promoted_by_force_only(command: Command, filling: Models) -> None:
    """The refusal says what is missing and how to embed it; --force says on stderr what it has skipped."""
    filling["org/other"].poison = "w0x0"
    command("backfill", "--market", "us", EMBEDDING_MODEL="org/other")

    gate = refused(command("spaces", "promote", OTHER.slug)).removeprefix("Error: ")

    assert gate.startswith(f"embedding space {OTHER.slug} lacks vectors: 2 pending, 0 quarantined. ")
    assert "EMBEDDING_MODEL=org/other vector-assets backfill" in gate
    assert statuses(command) == {SERVING.slug: "serving", OTHER.slug: "filling"}

    forced = command("spaces", "promote", OTHER.slug, "--force")

    assert forced.exit_code == 0
    assert forced.stderr == f"skipped by --force: {gate}\n"
    assert forced.stdout == f"{OTHER.slug} serves.\n"
    assert statuses(command) == {SERVING.slug: "filling", OTHER.slug: "serving"}


def test_force_skips_nothing_where_nothing_is_missing(command: Command, complete: Models) -> None:
    """And says nothing of it."""
    forced = command("spaces", "promote", OTHER.slug, "--force")

    assert (forced.exit_code, forced.output) == (0, f"{OTHER.slug} serves.\n")


def test_a_retired_space_is_not_promoted_and_is_filled_again(command: Command, complete: Models, landing: Path) -> None:
    """Also not by force. Its vectors of unchanged chunks are kept, so that only the others are embedded."""
    assert command("spaces", "retire", OTHER.slug).output == f"{OTHER.slug} is retired.\n"
    land(landing, US, "new.txt", "net sales")
    command("ingest", str(landing))
    assert listed(command)[OTHER.slug]["pending"] == 0

    for force in ([], ["--force"]):
        line = refused(command("spaces", "promote", OTHER.slug, *force))
        assert line.endswith("Fill it first: vector-assets spaces add org/other.")
    assert command("spaces", "add", "org/other", "--yes").exit_code == 0

    assert listed(command)[OTHER.slug]["pending"] == 1
    assert command("backfill", EMBEDDING_MODEL="org/other").exit_code == 0
    assert complete["org/other"].embedded == ["XTEST new\nnet sales"]
    assert command("spaces", "promote", OTHER.slug).exit_code == 0


@pytest.mark.parametrize("arguments", [["retire"], ["drop", "--yes"]])
def test_what_serves_is_neither_retired_nor_dropped(
    arguments: list[str], command: Command, complete: Models, database: Database
) -> None:
    """Searches read it."""
    line = refused(command("spaces", *arguments, SERVING.slug))

    assert "serves" in line
    assert "vector-assets spaces promote" in line
    assert statuses(command) == {SERVING.slug: "serving", OTHER.slug: "filling"}
    assert rows(database, f"SELECT count(*) FROM chunk_vectors_{SERVING.slug}") == [(4,)]


def test_dropping_a_space_asks_and_deletes_its_vectors(command: Command, complete: Models, database: Database) -> None:
    """With its queue and its table; the serving one is as it was."""
    kept = answered("n\n", "spaces", "drop", OTHER.slug)

    assert kept.exit_code == 1
    assert f"Delete the vectors of org/other in {OTHER.slug}? [y/N]" in kept.output
    assert statuses(command)[OTHER.slug] == "filling"

    dropped = answered("y\n", "spaces", "drop", OTHER.slug)

    assert dropped.exit_code == 0
    assert dropped.output.endswith(f"{OTHER.slug} is dropped.\n")
    assert statuses(command) == {SERVING.slug: "serving"}
    assert rows(database, "SELECT to_regclass(%s)", f"chunk_vectors_{OTHER.slug}") == [(None,)]
    assert rows(database, "SELECT count(*) FROM pending_chunks") == [(0,)]
    assert counts(command, "current") == {"cn/announcement/999001": 1, str(US): 3}


@pytest.mark.parametrize("arguments", [["promote"], ["promote", "--force"], ["retire"], ["drop"], ["drop", "--yes"]])
def test_an_unknown_space_is_answered_with_the_known_ones(
    arguments: list[str], command: Command, complete: Models
) -> None:
    """In one line, before anything is asked."""
    line = refused(command("spaces", *arguments, "nonsense"))

    assert line.startswith("Error: there is no embedding space 'nonsense'. There are: ")
    assert {SERVING.slug, OTHER.slug} <= set(line.replace(",", " ").replace(". ", " ").split())
    assert statuses(command) == {SERVING.slug: "serving", OTHER.slug: "filling"}
