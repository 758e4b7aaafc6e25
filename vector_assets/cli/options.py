"""Arguments and options that several commands share."""

from pathlib import Path

import click

DIRECTORY = click.Path(file_okay=False, path_type=Path)

filings_option = click.option(
    "--filings",
    type=DIRECTORY,
    metavar="DIR",
    help="The landing directory; its layout is market/doc_type/stock_code/<file>.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document to stdout.")


def examples(*commands: str) -> str:
    """Format the examples below the help text of a command, one per line."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)
