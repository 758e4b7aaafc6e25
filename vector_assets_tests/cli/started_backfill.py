"""`vector-assets backfill`, whose embedder says when two batches are embedded and then waits until it may go on."""

import sys

from vector_assets.cli import main as command_line
from vector_assets.services import Services

from ..fakes import HashEmbedder


def main() -> None:
    """The command, in batches of 2."""
    embedder = HashEmbedder()

    def before(_: list[str]) -> None:
        if len(embedder.embedded) == 4:
            print("two batches are embedded", flush=True)
            sys.stdin.read()

    embedder.before = before
    Services.embedder = embedder  # type: ignore[assignment]
    command_line(["backfill", "--batch-size", "2"])
