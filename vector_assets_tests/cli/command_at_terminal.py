"""`vector-assets`, with an embedder that takes no time; it may wait for a line after so many chunks."""

import os
import sys

from vector_assets.cli import main as command_line
from vector_assets.cli import terminal
from vector_assets.services import Services

from ..fakes import HashEmbedder, UnrecordedAuditFacts


def main(wait_after: str, *arguments: str) -> None:
    """Run the command; "" waits for nothing."""
    embedder = HashEmbedder()

    def before(_: list[str]) -> None:
        if len(embedder.embedded) == int(wait_after):
            sys.stdin.readline()

    for console in (terminal.out, terminal.err):
        # They were made before the fork, where there was no terminal.
        console.is_interactive, console.width = True, os.get_terminal_size().columns
    if wait_after:
        embedder.before = before
    Services.embedder = embedder  # type: ignore[assignment]
    Services.audit_facts = property(lambda parts: UnrecordedAuditFacts(parts.database, embedder))  # type: ignore[assignment, method-assign]
    command_line(arguments)
