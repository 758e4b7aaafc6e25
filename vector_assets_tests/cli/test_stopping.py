"""Ctrl-C and SIGTERM as a user sends them: to a process, in the middle of its work."""

import signal
import threading
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL

from ..defs.conftest import CN, US, land, sentences
from ..forked_programs import ForkedProgram
from .conftest import Command, counts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_backfill_between_two_batches(
    number: signal.Signals, command: Command, database_url: URL, landing: Path
) -> None:
    """It says so, exits as a signal does, keeps what was committed, and the next run does the rest."""
    # More batches than may be between the embedder and the end of their commit when the stop is noticed.
    land(landing, CN, "first.txt", sentences(60))
    land(landing, US, "second.txt", sentences(3))
    assert command("ingest", str(landing)).exit_code == 0

    with ForkedProgram(f"{__package__}.started_backfill", with_errors=True) as child:
        timer = threading.Timer(120, child.kill)  # rather than wait for a line that does not come
        timer.start()
        assert child.stdout.readline() == "two batches are embedded\n"
        child.send_signal(number)
        assert any("stopping after this batch" in line for line in child.stderr)
        _, errors = child.communicate(timeout=60)
        timer.cancel()

    assert child.returncode == 128 + number
    assert "Traceback" not in errors
    kept = counts(command, "current")
    committed = f"{kept[str(CN)]} of 60 chunks of {CN} were committed and are kept, {60 - kept[str(CN)]} stay pending"
    assert f"stopped. {committed}; run the same command again to continue." in errors
    assert kept[str(CN)] in range(2, 60)
    assert kept[str(CN)] % 2 == 0
    assert kept[str(US)] == 0
    instance = dg.DagsterInstance.get()
    (run,) = instance.get_runs(limit=1)
    assert run.status == dg.DagsterRunStatus.CANCELED
    assert run.remote_job_origin is not None
    (step,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    said = step.dagster_event.step_failure_data.user_failure_data.description
    assert said.startswith(f"canceled: {kept[str(CN)]} of 60 chunks of {CN} were committed")
    rest = command("backfill")
    assert rest.exit_code == 0, rest.output
    assert counts(command, "current") == {str(CN): 60, str(US): 3}


def test_a_signal_while_documents_are_read_loses_none(command: Command, landing: Path, database_url: URL) -> None:
    """A document that was read but not chunked is chunked the next time."""
    land(landing, US, "a.txt", sentences(2))

    with ForkedProgram(f"{__package__}.started_ingestion", str(landing), with_errors=True) as child:
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors
    assert counts(command, "chunks") == {}

    again = command("ingest", str(landing))

    assert again.exit_code == 0, again.output
    assert counts(command, "chunks") == {str(US): 2}
