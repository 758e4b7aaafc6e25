"""What commands show in pseudo-terminals of 120, 80 and 50 columns, compared with texts in `screens/`.

After a change that is meant, write the texts again with VECTOR_ASSETS_WRITE_SCREENS=1, and read them.
"""

import os
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from ..defs.conftest import CN, US, land, sentences
from .conftest import Command
from .pseudo_terminal import PseudoTerminal

PROGRAM = f"{__package__}.command_at_terminal"
SCREENS = Path(__file__).parent / "screens"
CHINESE = "公司董事会审议通过了二零二四年年度报告,全体董事、监事和高级管理人员保证其内容真实、准确、完整。" * 3

# What differs from run to run: speeds, durations, the slowest stage, and the sign that turns.
_CHANGES = {
    r"\d[\d,.]*(?= chunks/s| tokens/s| s per batch)|(?<=recent: )[\d,]+": "#",
    r"\b\d+ s\b(?! per)": "# s",
    r"(?<=bottleneck: )\w+": "#",
    "[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]": "*",
}


@pytest.fixture
def filled(command: Command, landing: Path) -> Path:
    """Two companies whose chunks are pending."""
    land(landing, US, "2024.txt", sentences(10))
    land(landing, CN, "2024.txt", CHINESE)
    assert command("ingest", str(landing)).exit_code == 0
    return landing


def same_as_kept(name: str, columns: int, lines: list[str]) -> None:
    """Compare the lines with the text that is kept; none is wider than the terminal."""
    assert [line for line in lines if cell_len(line) > columns] == []
    text = "\n".join(_without_changes(line) for line in lines) + "\n"
    file = SCREENS / f"{name}-{columns}.txt"
    if os.environ.get("VECTOR_ASSETS_WRITE_SCREENS"):
        SCREENS.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


def _without_changes(line: str) -> str:
    for pattern, instead in _CHANGES.items():
        line = re.sub(pattern, instead, line)
    return line


@pytest.mark.parametrize("columns", [120, 80, 50])
def test_a_backfill(filled: Path, columns: int) -> None:
    """The bars while it works, which stay at their place, and what is left in the end."""
    with PseudoTerminal(columns, PROGRAM, "4", "backfill", "us/", "--batch-size", "2") as terminal:
        bars = terminal.await_words("40%")
        terminal.type("go on")
        left = terminal.end()
        drawn = [line for lines in terminal.drawings for line in lines]

    same_as_kept("backfill-at-work", columns, bars)
    same_as_kept("backfill-done", columns, left)
    assert [line for line in drawn if cell_len(line) > columns] == []
    assert len({line.index("━") for line in drawn if "━" in line}) == 1
    assert any(line.startswith(f"[1/1] ok  {US}") for line in drawn)


@pytest.mark.parametrize("columns", [120, 80, 50])
def test_the_status(filled: Path, columns: int) -> None:
    """Columns that do not fit are left out, and below 60 a partition takes two lines."""
    with PseudoTerminal(columns, PROGRAM, "", "status") as terminal:
        same_as_kept("status", columns, terminal.end())


@pytest.mark.parametrize("columns", [120, 80, 50])
def test_hits_in_chinese(filled: Path, command: Command, columns: int) -> None:
    """No line of a passage begins with a sign that ends a sentence or a part of it."""
    assert command("backfill").exit_code == 0
    with PseudoTerminal(columns, PROGRAM, "", "search", "董事会", "--market", "cn") as terminal:
        lines = terminal.end()

    assert [line for line in lines if line.strip().startswith(("。", ",", "、"))] == []
    same_as_kept("search", columns, lines)
