"""Ctrl-C and SIGTERM as a user sends them: to a process, in the middle of its work."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL

from ..defs.conftest import CN, US, land, sentences
from .conftest import Command, counts

# `vector-assets backfill`, whose embedder says when two batches are embedded and then waits until it may go on.
CHILD = """
import sys
from vector_assets.cli import main
from vector_assets.services import Services
from vector_assets_tests.fakes import HashEmbedder

embedder = HashEmbedder()

def before(texts):
    if len(embedder.embedded) == 4:
        print("two batches are embedded", flush=True)
        sys.stdin.read()

embedder.before = before
Services.embedder = embedder
main(["backfill", "--batch-size", "2"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_backfill_between_two_batches(
    number: signal.Signals, command: Command, database_url: URL, tmp_path: Path, landing: Path
) -> None:
    """It says so, exits as a signal does, keeps what was committed, and the next run does the rest."""
    # More batches than may be between the embedder and the end of their commit when the stop is noticed.
    land(landing, CN, "first.txt", sentences(60))
    land(landing, US, "second.txt", sentences(3))
    assert command("ingest", str(landing)).exit_code == 0
    environment = os.environ | {"VECTOR_ASSETS_HOME": str(tmp_path / "home")}

    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], env=environment, text=True, stdin=pipe, stdout=pipe, stderr=pipe
    ) as child:
        timer = threading.Timer(120, child.kill)  # rather than wait for a line that does not come
        timer.start()
        assert child.stdout.readline() == "two batches are embedded\n"
        child.send_signal(number)
        assert any("stopping after this batch" in line for line in child.stderr)
        _, errors = child.communicate(timeout=60)
        timer.cancel()

    assert child.returncode == 128 + number
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    kept = counts(command, "current")
    assert kept[str(CN)] in range(2, 60)
    assert kept[str(CN)] % 2 == 0
    assert kept[str(US)] == 0
    assert [run.status for run in dg.DagsterInstance.get().get_runs(limit=1)] == [dg.DagsterRunStatus.CANCELED]
    rest = command("backfill")
    assert rest.exit_code == 0, rest.output
    assert counts(command, "current") == {str(CN): 60, str(US): 3}


def test_a_signal_while_documents_are_read_loses_none(command: Command, landing: Path, database_url: URL) -> None:
    """A document that was read but not chunked is chunked the next time."""
    land(landing, US, "a.txt", sentences(2))
    child = """
import os, signal
from vector_assets.cli import main
from vector_assets.cli.progress_bars import PartitionsProgress
from vector_assets.services import Services
from vector_assets_tests.fakes import HashEmbedder

Services.embedder = HashEmbedder()
asked = []

def document(self, partition, source_uri):
    if not asked:
        asked.append(source_uri)
        os.kill(os.getpid(), signal.SIGINT)

PartitionsProgress.document = document
main(["ingest", %r])
"""
    result = subprocess.run([sys.executable, "-c", child % str(landing)], capture_output=True, text=True)
    assert result.returncode == 130, result.stderr
    assert counts(command, "chunks") == {}

    again = command("ingest", str(landing))

    assert again.exit_code == 0, again.output
    assert counts(command, "chunks") == {str(US): 2}
