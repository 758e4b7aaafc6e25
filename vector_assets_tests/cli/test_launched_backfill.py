"""`vector-assets backfill --launch`, beside a real `vector-assets dev` whose embedder answers when the test says so."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from vector_assets.storage.database_creation import ensure_database
from vector_assets.storage.embedded_server import leave_embedded_server, start_embedded_server
from vector_assets.storage.migrate import migrate

from ..defs.conftest import US
from ..fakes import KEY, rows
from ..faults.conftest import empty_place, folder  # noqa: F401  a fixture
from ..faults.dev import Dev, Gate
from ..faults.gated import GAP
from ..faults.places import SECONDS, Place, is_at_work
from ..invariants import check_invariants
from .conftest import Command

COMMAND = [sys.executable, "-m", "vector_assets.cli", "backfill", "--launch"]


def test_without_a_daemon_nothing_is_launched(command: Command, filings: Path) -> None:
    """It would wait for ever; the line says so, and what to start."""
    command("ingest", str(filings))

    result = command("backfill", "--launch")

    assert result.exit_code == 1
    assert "daemon is not running" in result.output
    assert str(US) in command("backfill", "--dry-run").output


def test_a_backfill_is_launched_followed_left_alone_and_seen_to_fail(
    folder: Path,  # noqa: F811
    landing: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Watching is stopped, not the work; nobody else's partitions are asked for twice; a failure is named.

    `dev` itself has its sensors on from the beginning, and after SIGTERM none of its processes lives.
    """
    place = _filled(folder, landing, monkeypatch)
    gate = Gate(folder)
    with Dev(place, gate, **{GAP: "3600"}) as dev:  # the sensor starts no run for what fails here
        assert dev.sensors() == {
            "vector_assets_new_chunks_sensor": "RUNNING",
            "vector_assets_candidate_sensor": "RUNNING",
            "vector_assets_landing_sensor": "RUNNING",
            "vector_assets_coverage_sensor": "RUNNING",
            "vector_assets_work_under_way_sensor": "RUNNING",
        }
        family = psutil.Process(dev.process.pid).children(recursive=True)
        assert len(family) > 2
        gate.answer_until(lambda: "SUCCESS" in dev.statuses())  # the sensor has had its way

        first = dev.start(*COMMAND, "--force")
        begun = first.stdout.readline()
        backfill_id = re.match(r"backfill (\w+): 1 partition\.", begun)
        assert backfill_id, begun
        assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/runs/b/{backfill_id[1]}\n", first.stdout.readline())
        at_work = gate.arrival()
        second = dev.start(*COMMAND, "--force", "--company", KEY.stock_code)
        assert _ended(second) == (0, f"1 partition is skipped, because backfill {backfill_id[1]} embeds it already.\n")
        first.send_signal(signal.SIGINT)
        assert _ended(first)[0] == 128 + signal.SIGINT
        assert f"backfill {backfill_id[1]} goes on" in first.said
        at_work.say("go")
        gate.answer_until(lambda: dev.statuses()[:2] == ["SUCCESS", "SUCCESS"])

        third = dev.start(*COMMAND, "--force", "--batch-size", "1")
        gate.answer_until(lambda: third.poll() is not None, failing=99)
        code, printed = _ended(third)
        gate.open()
    dev.check_all_ended()
    assert (dev.process.returncode, "stopped." in dev.said) == (0, True)
    assert [one for one in family if is_at_work(one)] == []
    assert not (place.home / "postgres" / "postmaster.pid").exists()
    assert (code, "0 partitions done, 1 not done" in printed) == (1, True)
    assert f"not done  {KEY}" in third.said
    start_embedded_server(place.home)
    with place.services() as services:
        # What a forced run has not embedded when it fails stays pending, with its former vector.
        assert check_invariants(services.database, services.embedder).chunks == 8
        assert rows(services.database, f"SELECT count(*) FROM chunk_vectors_{services.space.slug}") == [(8,)]
    leave_embedded_server(place.home)


def _filled(folder: Path, landing: Path, monkeypatch: pytest.MonkeyPatch) -> Place:  # noqa: F811
    url = start_embedded_server(folder / "home")
    ensure_database(url)
    migrate(url)
    place = empty_place(url, folder, landing, monkeypatch)
    place.fill_by_another_program(8)
    leave_embedded_server(place.home)
    return place


def _ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    printed, process.said = process.communicate(timeout=SECONDS)
    return process.returncode, printed
