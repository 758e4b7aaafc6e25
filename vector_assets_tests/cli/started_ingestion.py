"""`vector-assets ingest`, which gets a SIGINT when it has read its first document."""

import os
import signal

from vector_assets.cli import main as command_line
from vector_assets.cli.progress_bars import PartitionsProgress
from vector_assets.services import Services

from ..fakes import HashEmbedder


def main(directory: str) -> None:
    """The command."""
    asked: list[str] = []

    def document(_: PartitionsProgress, partition: object, source_uri: str) -> None:
        if not asked:
            asked.append(source_uri)
            os.kill(os.getpid(), signal.SIGINT)

    Services.embedder = HashEmbedder()  # type: ignore[assignment]
    PartitionsProgress.document = document  # type: ignore[method-assign]
    command_line(["ingest", directory])
