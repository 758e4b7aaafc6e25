"""Input and output in whatever encoding the terminal has."""

import io
import json
import os
import sys

import click


def replace_unprintable() -> None:
    """Let characters that stdout and stderr cannot encode, e.g. emoji in GBK, become question marks, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def keep_undecodable(stream: object) -> None:
    """Let bytes of stdin that its encoding does not know become surrogates, as they do in arguments, not an error."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="surrogateescape")


def typed_text(text: str) -> str:
    """Return what was typed in UTF-8 where the locale has another encoding, so that Python made surrogates of it."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    try:
        return os.fsencode(text).decode()
    except UnicodeError:
        return text


def echo_json(document: object) -> None:
    """Print one JSON document to stdout. Where not every character can be encoded, those beyond ASCII are escaped."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower().replace("-", "")
    click.echo(json.dumps(document, ensure_ascii=not encoding.startswith("utf")))
