"""Which chunks a backfill is about, and what it says before it begins."""

import re
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from ..defs.conftest import CN, US, land, sentences
from ..fakes import HashEmbedder
from .conftest import Command, counts


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    command: Command, filings: Path, embedder: HashEmbedder
) -> None:
    """Partitions, chunks, tokens and, once a run has shown the speed, the time."""
    command("ingest", str(filings))

    first = command("backfill", "--dry-run")

    assert first.exit_code == 0, first.output
    assert re.search(r"2 partitions, 4 chunks, about \d+ tokens; .* cannot be estimated", first.output), first.output
    assert f"{US}  3 chunks" in first.output
    assert embedder.embedded == []
    command("backfill", "--market", "cn")

    second = command("backfill", "--dry-run")

    assert "1 partition, 3 chunks, about 9 tokens, about" in second.output
    assert str(CN) not in second.output


def test_a_model_whose_vectors_have_changed_gets_another_space_and_all_chunks(
    command: Command, filings: Path, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backfill stores nothing and names the command; then it is about the current chunks too, as its plan says."""
    command("ingest", str(filings))
    command("backfill", "--market", "us")
    former = embedder.embed
    monkeypatch.setattr(embedder, "embed", lambda texts: former(texts)[:, ::-1].copy())

    stopped = command("backfill")
    added = command("spaces", "add", "hash", "--yes")
    planned = command("backfill", "--dry-run").output

    assert stopped.exit_code == 1
    assert stopped.output.count("vector-assets spaces add, with the same model") == 1
    assert added.exit_code == 0, added.output
    assert "2 partitions, 4 chunks" in planned
    assert command("backfill").exit_code == 0
    assert len(embedder.embedded) == 7
    assert counts(command, "current") == {str(CN): 0, str(US): 3}  # what serves is as it was
    slug = replace(embedder.space, generation=1).slug
    assert command("spaces", "promote", slug).exit_code == 0
    assert counts(command, "current") == {str(CN): 1, str(US): 3}
    assert command("backfill").output.startswith("Nothing to do")


def test_checks_that_do_not_pass_are_reported(command: Command, landing: Path) -> None:
    """On the line of their partition, and once with the result and the fix."""
    mangled = "公司主要从事港口运营业务。".encode().decode("latin-1")
    land(landing, US, "mangled.txt", mangled)
    land(landing, CN, "good.txt", "公司主要从事港口运营业务。")

    result = command("ingest", str(landing))

    assert result.exit_code == 0
    assert "text_is_readable" in next(line for line in result.output.splitlines() if f"ok  {US}" in line)
    assert "text_is_readable" not in next(line for line in result.output.splitlines() if f"ok  {CN}" in line)
    (line,) = [line for line in result.output.splitlines() if line.startswith("warning: check text_is_readable")]
    assert "UTF-8" in line


@pytest.mark.parametrize(
    ("arguments", "partitions"),
    [
        (["--market", "us"], [US]),
        (["--company", "XTEST"], [US]),
        (["--doc-type", CN.doc_type], [CN]),
        (["us/*/*", "cn/*/*"], [CN, US]),
    ],
)
def test_a_backfill_takes_what_is_selected(
    arguments: list[str], partitions: list, command: Command, filings: Path
) -> None:
    """And leaves the rest pending."""
    command("ingest", str(filings))

    assert command("backfill", *arguments).exit_code == 0

    left = command("backfill", "--dry-run").output
    assert [key for key in (CN, US) if str(key) not in left] == partitions


def test_what_failed_is_tried_once_more(command: Command, landing: Path, embedder: HashEmbedder) -> None:
    """Partitions in red, with their quarantined chunks; the others, whose chunks are current, are left alone."""
    land(landing, US, "good.txt", "net sales")
    land(landing, CN, "bad.txt", sentences(3).replace("w", "POISON"))
    command("ingest", str(landing))
    command("backfill")
    assert command("backfill").exit_code == 0

    planned = command("backfill", "--failed", "--dry-run")
    assert f"{CN}  3 chunks" in planned.output
    assert str(US) not in planned.output
    still = command("backfill", "--failed")
    assert still.exit_code == 1
    assert "0 chunks vectorized, 3 failed, in 1 partition (1 failed)" in still.output
    embedder.poison = "nothing holds this"

    fixed = command("backfill", "--failed")

    assert fixed.exit_code == 0, fixed.output
    assert counts(command, "current") == {str(CN): 3, str(US): 1}
    runs = dg.DagsterInstance.get().get_runs_count()
    assert command("backfill", "--failed").exit_code == 0
    assert dg.DagsterInstance.get().get_runs_count() == runs


def test_a_partition_that_failed_otherwise_is_tried_too(
    command: Command, filings: Path, embedder: HashEmbedder
) -> None:
    """Its chunks are pending; those of partitions that were not tried are not meant."""
    command("ingest", str(filings))
    embedder.poison = ""  # which every text holds
    assert command("backfill", "--market", "us").exit_code == 1

    planned = command("backfill", "--failed", "--dry-run")

    assert f"{US}  3 chunks" in planned.output
    assert str(CN) not in planned.output


def test_what_failed_is_that_of_the_space_of_this_process(
    command: Command, landing: Path, models: dict[str, HashEmbedder]
) -> None:
    """A chunk that is quarantined in the filling space is current in the serving one."""
    land(landing, US, "good.txt", sentences(30))
    land(landing, US, "bad.txt", "COMPLICATED")
    command("ingest", str(landing))
    assert command("backfill").exit_code == 0
    models["org/other"].poison = "COMPLICATED"
    command("spaces", "add", "org/other", "--yes")
    assert command("backfill", EMBEDDING_MODEL="org/other").exit_code == 1

    assert command("backfill", "--failed").output.startswith("Nothing to do")
    planned = command("backfill", "--failed", "--dry-run", EMBEDDING_MODEL="org/other").output
    models["org/other"].poison = "nothing"
    fixed = command("backfill", "--failed", EMBEDDING_MODEL="org/other")

    assert f"{US}  1 chunk" in planned
    assert fixed.exit_code == 0, fixed.output
    assert "1 chunk vectorized, 0 failed, in 1 partition (0 failed)" in fixed.output


def test_a_model_without_a_live_space_is_refused_in_one_line(
    command: Command, filings: Path, models: dict[str, HashEmbedder]
) -> None:
    """Before a run is started, whatever is to be embedded."""
    command("ingest", str(filings))
    command("backfill", "--market", "us")
    runs = dg.DagsterInstance.get().get_runs_count()

    for what in ("--pending", "--failed", "--force"):
        result = command("backfill", what, EMBEDDING_MODEL="org/other")

        assert result.exit_code == 1
        assert "org/other, whose embedding space is not in the database. Nothing was changed." in result.output
        assert "vector-assets spaces add org/other" in result.output
    assert dg.DagsterInstance.get().get_runs_count() == runs
    assert models["org/other"].embedded == []
    assert counts(command, "pending") == {str(CN): 1, str(US): 0}
