"""Terminals of any encoding show what they can, and JSON is whole in each of them. Output may have nowhere to go."""

import json
import os
import subprocess
import sys
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


@pytest.mark.parametrize("interactive", [False, True])
def test_a_question_in_utf_8_is_understood_in_any_locale(interactive: bool, command: Command, landing: Path) -> None:
    """Also in the POSIX locale, in which Python takes its bytes for no characters; other bytes are refused."""
    land(landing, CN, "2024.txt", TEXT)
    command("ingest", str(landing))
    environment = os.environ | {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONIOENCODING": ""}

    answers = []
    for question in ("营业收入".encode(), "收入".encode("gbk")):
        asked: list[str | bytes] = ["--interactive"] if interactive else [question]
        run = [sys.executable, "-m", "vector_assets.cli", "search", *asked]
        answers.append(subprocess.run(run, input=question + b"\n", capture_output=True, env=environment))

    assert [b"Traceback" in answer.stderr for answer in answers] == [False, False]
    assert b"no vectors to search" in answers[0].stderr
    assert b"the question is not valid UTF-8. Write it in UTF-8." in answers[1].stderr


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["status"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_the_output_is_one_line(
    arguments: list[str], unbuffered: str, command: Command, landing: Path
) -> None:
    """No traceback, and the exit code is 1, whether Python writes at once or when it ends."""
    land(landing, CN, "2024.txt", TEXT)
    command("ingest", str(landing))
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}

    with FULL.open("w") as full:
        run = [sys.executable, "-m", "vector_assets.cli", *arguments]
        ended = subprocess.run(run, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
        silent = subprocess.run(run, stdout=full, stderr=full, env=environment)

    assert [line for line in ended.stderr.splitlines() if line.startswith("Error: ")] == [
        "Error: something could not be written (No space left on device). "
        "Check the disks of the output and of VECTOR_ASSETS_HOME."
    ]
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert (ended.returncode, silent.returncode) == (1, 1)
