"""Figures as they come: a Markdown table on the terminal, and a JSON file of the same rows where one is asked for."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path


def add_json_option(parser: ArgumentParser) -> None:
    """`--json FILE`."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")


class Table:
    """Prints its head when made and each row when added; floats get two decimals, lists all of their items."""

    def __init__(self, *columns: str, json_file: Path | None = None) -> None:
        self._columns = columns
        self._json_file = json_file
        self._rows: list[dict[str, object]] = []
        print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)

    def add(self, *values: object) -> None:
        """A row; the file is written anew, so that a benchmark that is cut off leaves what it has found."""
        self._rows.append(dict(zip(self._columns, values, strict=True)))
        print(f"| {' | '.join(_shown(value) for value in values)} |", flush=True)
        if self._json_file is not None:
            self._json_file.write_text(json.dumps(self._rows, indent=1), "utf-8")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3f}" if abs(value) < 2 else f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_shown(item) for item in value)
    return str(value)
