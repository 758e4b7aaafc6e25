"""Which chunks a backfill is about, and what it says before it begins."""

from pathlib import Path

import pytest

from ..defs.conftest import CN, US, land, sentences
from ..fakes import HashEmbedder
from .conftest import Command


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    command: Command, filings: Path, embedder: HashEmbedder
) -> None:
    """Partitions, chunks and, once a run has told the speed, tokens and time."""
    command("ingest", str(filings))

    first = command("backfill", "--dry-run")

    assert first.exit_code == 0, first.output
    assert "2 partitions, 4 chunks; no run has been made" in first.output
    assert f"{US}  3 chunks" in first.output
    assert embedder.embedded == []
    command("backfill", "--market", "cn")

    second = command("backfill", "--dry-run")

    assert "1 partitions, 3 chunks, about 3 tokens, about" in second.output
    assert str(CN) not in second.output


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
    assert "none of 2 partitions has pending chunks" in command("backfill").output

    planned = command("backfill", "--failed", "--dry-run")
    assert f"{CN}  3 chunks" in planned.output
    assert str(US) not in planned.output
    still = command("backfill", "--failed")
    assert still.exit_code == 1
    assert "0 chunks vectorized, 3 quarantined, in 1 partitions (1 failed)" in still.output
    embedder.poison = "nothing holds this"

    mended = command("backfill", "--failed")

    assert mended.exit_code == 0, mended.output
    assert "3 chunks vectorized, 0 quarantined, in 1 partitions (0 failed)" in mended.output
    assert "has failed, and no chunk of theirs is quarantined" in command("backfill", "--failed").output


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
