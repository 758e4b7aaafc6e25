"""Terminals of any encoding show what they can, and JSON is whole in each of them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from vector_assets.cli import main

from ..defs.conftest import CN, land
from .conftest import Command

TEXT = "营业收入增长 \U0001f600"


@pytest.mark.parametrize("charset", ["gbk", "ascii", "utf-8"])
def test_a_character_that_cannot_be_shown_ends_no_command(charset: str, command: Command, landing: Path) -> None:
    """The emoji is in none but the last of these encodings."""
    land(landing, CN, "2024.txt", TEXT)
    command("ingest", str(landing))
    assert command("backfill").exit_code == 0
    terminal = CliRunner(charset=charset)

    shown = terminal.invoke(main, ["search", TEXT])
    as_json = terminal.invoke(main, ["search", TEXT, "--json"])

    assert shown.exit_code == 0, shown.output
    assert str(CN) in shown.stdout
    assert TEXT in json.loads(as_json.stdout)["hits"][0]["text"]
