"""From a failing chunk to its vector: `failures`, a fix, `retry-failed`."""

import json
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL

from vector_assets.domain.chunks import TokenizedText
from vector_assets.domain.spaces import EmbeddingSpace, Vectors
from vector_assets.services import Services
from vector_assets.storage.database import Database

from ..conftest import administration
from ..defs.conftest import CN, US, land, sentences
from ..fakes import HashEmbedder, make_vectorizer, store_chunks
from .conftest import Command, counts


@pytest.fixture
def failed(database: Database, command: Command) -> Database:
    """Two partitions with one chunk each that failed once."""
    store_chunks(database, ["good", "better"], US, "good.txt")
    store_chunks(database, ["POISON in a filing"], US, "bad.txt")
    store_chunks(database, ["公告 POISON"], CN, "bad.txt")
    vectorizer = make_vectorizer(database, HashEmbedder())
    for key in (US, CN):
        vectorizer.vectorize_partition(key, run_id=f"run of {key.market}")
    return database


def listed(command: Command, *arguments: str) -> list[dict[str, object]]:
    """What `failures --json` lists."""
    found: list[dict[str, object]] = json.loads(command("failures", *arguments, "--json").stdout)["failures"]
    return found


def test_failures_are_listed_with_their_errors(command: Command, failed: Database, embedder: HashEmbedder) -> None:
    """For people with the next command, for programs with all that is known."""
    shown = command("failures")

    assert shown.exit_code == 0, shown.output
    for words in (str(US), str(CN), "bad.txt  chunk 0", "ValueError: poison", "failed 1 time,", "pending, next"):
        assert words in shown.output
    assert "0 quarantined, 2 with another attempt by themselves" in shown.output
    assert shown.output.splitlines()[-1].endswith("vector-assets retry-failed")
    assert "us/*/*'" in command("failures", "us/*/*").output.splitlines()[-1]
    document = json.loads(command("failures", "cn/*/*", "--json").stdout)
    assert document["space"] == embedder.space.slug
    (failure,) = document["failures"]
    assert set(failure) == {
        "partition", "document", "chunk_index", "chunk_id", "error", "message", "state", "attempts", "failed_at",
        "next_attempt_at", "run_id",
    }  # fmt: skip
    assert (failure["partition"], failure["document"]) == (str(CN), f"{CN}/bad.txt")
    assert (failure["error"], failure["message"], failure["attempts"]) == ("ValueError", "poison", 1)
    assert (failure["run_id"], failure["state"]) == ("run of cn", "pending")
    nothing_due = command("backfill")
    assert "no pending chunk is due" in nothing_due.output
    assert "2 failed and pending, with another attempt later; 0 quarantined" in nothing_due.output


def test_a_fixed_cause_and_a_retry_give_vectors(command: Command, failed: Database, embedder: HashEmbedder) -> None:
    """Only the failed chunks of the pattern's partitions, and what else is pending in those, are embedded."""
    store_chunks(failed, ["pending beside it"], US, "new.txt")
    embedder.poison = "nothing"

    result = command("retry-failed", "us/*/*")

    assert result.exit_code == 0, result.output
    assert "1 chunk retried, 1 now vectorized, 0 quarantined, in 1 partition (0 failed)" in result.output
    assert f"ok  {US}" in result.output
    assert sorted(embedder.embedded) == ["POISON in a filing", "pending beside it"]
    assert [failure["partition"] for failure in listed(command)] == [str(CN)]
    (run,) = dg.DagsterInstance.get().get_runs(limit=1)
    assert (run.status, run.tags["market"]) == (dg.DagsterRunStatus.SUCCESS, "us")


def test_what_fails_once_more_counts_its_attempts(command: Command, failed: Database) -> None:
    """The exit code is 1, yet no run is marked as failed although all of its chunks did."""
    first = command("retry-failed")
    assert [(failure["state"], failure["next_attempt_at"]) for failure in listed(command)] == [
        ("quarantined", None)
    ] * 2
    second = command("retry-failed")

    for result in (first, second):
        assert result.exit_code == 1
        assert "(0 failed)" in result.output
    assert [failure["attempts"] for failure in listed(command)] == [3, 3]
    assert "failed 3 times" in command("failures").output


def test_a_retry_that_did_not_get_through_goes_on(
    command: Command, failed: Database, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedder broke: the chunks stay pending, and the same command takes them up again."""
    monkeypatch.setattr(embedder, "poison", "")  # fails on any text

    broken = command("retry-failed", "us/*/*")

    assert broken.exit_code == 1
    assert "1 still pending, in 1 partition (1 failed)" in broken.output
    monkeypatch.setattr(embedder, "poison", "nothing")
    assert command("retry-failed", "us/*/*").exit_code == 0
    assert counts(command, "pending")[str(US)] == counts(command, "quarantined")[str(US)] == 0


def test_another_model_is_not_given_the_failures_of_the_former(
    command: Command, failed: Database, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would embed every chunk of the partition, into a space that is not kept up to date."""
    other = EmbeddingSpace("other", "1", "mean", "", "", 8, 64, "digest", source="org/other")
    monkeypatch.setattr(Services, "embedder", HashEmbedder(other))

    result = command("retry-failed")

    assert result.exit_code == 1
    assert "configured for org/other, whose embedding space is not in the database" in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert len(listed(command)) == 2


def test_each_space_has_failures_of_its_own(
    command: Command, failed: Database, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the filling space are retried by its process, and listed once it serves."""
    other = HashEmbedder(EmbeddingSpace("other", "1", "mean", "", "", 8, 64, "digest", source="org/other"), "公告")
    make_vectorizer(failed, other).vectorize_partition(US)
    make_vectorizer(failed, other).vectorize_partition(CN)
    assert len(listed(command)) == 2

    monkeypatch.setattr(Services, "embedder", other)
    again = command("retry-failed")

    assert "1 chunk retried, 0 now vectorized, 1 quarantined, in 1 partition (0 failed)" in again.output
    assert [failure["attempts"] for failure in listed(command)] == [1, 1]
    assert command("spaces", "promote", other.space.slug, "--force").exit_code == 0
    (failure,) = listed(command)
    assert (failure["partition"], failure["attempts"]) == (str(CN), 2)


class Verbose(HashEmbedder):
    """Its errors are as bad as errors get: NUL, line ends, terminal codes, markup, and long."""

    message = "NUL \0, line\nend\r\n\x1b[31mred\x1b[0m [bold]not bold[/bold] 公告\u202e " + "x" * 10_000

    def embed(self, texts: Sequence[TokenizedText]) -> Vectors:
        try:
            return super().embed(texts)
        except ValueError:
            raise RuntimeError(self.message) from None


def test_the_worst_message_is_one_line_and_whole_in_the_json(command: Command, database: Database) -> None:
    """It neither breaks the list nor reaches the terminal as a command."""
    store_chunks(database, ["POISON"], US)
    make_vectorizer(database, Verbose()).vectorize_partition(US)

    shown = command("failures").output

    assert [len(line) < 200 for line in shown.splitlines()] == [True] * 5
    assert "RuntimeError: NUL \\0, line end [31mred [0m [bold]not bold[/bold] 公告 xxx" in shown
    assert not {"\0", "\x1b", "\u202e", "\r"} & set(shown)
    (failure,) = listed(command)
    assert failure["message"] == Verbose.message.replace("\0", "\\0")


def test_of_many_failures_the_first_are_listed_with_their_number(command: Command, database: Database) -> None:
    """Twenty on the terminal, all of them in the JSON."""
    store_chunks(database, [f"POISON {number}" for number in range(30)], US)
    make_vectorizer(database, HashEmbedder()).vectorize_partition(US)

    shown = command("failures").output

    assert shown.count("ValueError: poison") == 20
    assert "... and 10 more: vector-assets failures --json" in shown
    assert "30 with another attempt by themselves" in shown
    assert len(listed(command)) == 30


@pytest.mark.parametrize("name", ["failures", "retry-failed"])
def test_a_database_that_is_empty_or_not_there_yet_says_what_to_do(
    name: str, command: Command, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty: exit code 0, for nothing failed. With a pattern it is 1, for nothing fits, as without a database."""
    bare, by_pattern = command(name), command(name, "us/*/*")
    assert bare.exit_code == 0, bare.output
    assert "vector-assets ingest" in bare.output
    assert by_pattern.exit_code == 1
    assert "no partition matches us/*/*. Ingest" in by_pattern.output
    assert json.loads(command("failures", "--json").stdout) == {"failures": [], "space": None}

    missing = database_url.set(database="never_there")
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", missing.render_as_string(hide_password=False))
    result = command(name)

    assert result.exit_code == 1
    assert "there is no database" in result.output
    assert "vector-assets ingest" in result.output
    with administration(database_url) as connection:
        query = "SELECT count(*) FROM pg_database WHERE datname LIKE 'never_there%'"
        assert connection.execute(query).fetchone() == (0,)


@pytest.mark.parametrize("name", ["failures", "retry-failed"])
def test_where_nothing_failed_it_says_so(
    name: str, command: Command, database: Database, embedder: HashEmbedder
) -> None:
    """Before the first run, when no model was ever used, and after it, with a chunk that is only pending."""
    store_chunks(database, ["good"], US)
    assert "o chunk has failed in 1 partition" in command(name).output
    make_vectorizer(database, HashEmbedder()).vectorize_partition(US)
    store_chunks(database, ["pending"], US, "new.txt")

    result = command(name, "us/*/*")

    assert result.exit_code == 0, result.output
    assert "o chunk has failed in 1 partition" in result.output
    assert embedder.embedded == []


@pytest.mark.parametrize("name", ["failures", "retry-failed"])
@pytest.mark.parametrize(("pattern", "words"), [("us/[a]", "invalid pattern"), ("zz/*/*", "no partition matches")])
def test_a_bad_pattern_is_one_line(name: str, pattern: str, words: str, command: Command, failed: Database) -> None:
    """Promise 11: and nothing was freed."""
    result = command(name, pattern)

    assert result.exit_code == 1
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert len(listed(command)) == 2


def test_a_backfill_fails_the_partition_in_which_too_many_failed(command: Command, landing: Path) -> None:
    """Its line names the next two commands; the other partition has its turn."""
    land(landing, US, "good.txt", "net sales")
    land(landing, CN, "bad.txt", sentences(3).replace("w", "POISON"))
    command("ingest", str(landing))

    result = command("backfill")

    assert result.exit_code == 1
    assert f"failed  {CN}: 3 of 3 chunks failed" in result.output
    assert f"vector-assets retry-failed {CN}" in result.output
    assert f"ok  {US}" in result.output
