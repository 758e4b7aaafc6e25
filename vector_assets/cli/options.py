"""Arguments that several commands share."""

from pathlib import Path

import click

DIRECTORY = click.Path(file_okay=False, path_type=Path)

filings_option = click.option(
    "--filings",
    type=DIRECTORY,
    metavar="DIR",
    help="The landing directory, laid out as market/doc_type/stock_code/<file>.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
