"""Output in whatever encoding the terminal has."""

import io
import json
import sys

import click


def replace_unprintable() -> None:
    """Let characters that stdout and stderr cannot encode, e.g. emoji in GBK, become question marks, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def echo_json(document: object) -> None:
    """Print one JSON document to stdout. Where not every character can be encoded, those beyond ASCII are escaped."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    click.echo(json.dumps(document, ensure_ascii=not encoding.startswith("utf")))
