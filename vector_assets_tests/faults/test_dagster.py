"""What happens to Dagster under a real `vector-assets dev`: chunks get their vectors, and nothing stays behind."""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import URL

from vector_assets.storage.embedded import leave_embedded_server, start_embedded_server
from vector_assets.storage.migrate import ensure_database, migrate

from .conftest import empty_place
from .dev import Dev, Gate
from .gated import GAP_SECONDS
from .places import CHUNKS, SECONDS, Place, eventually, finish, is_at_work, program


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not under pytest's own, which the embedded server's user may not enter, and whose path is too long for a gate."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


def other_programs_chunks(place: Place) -> Place:
    """Two thousand pending chunks that no file of ours has anything to do with."""
    place.fill()
    with program(place) as connection:
        connection.execute("UPDATE documents SET fingerprint = ''")
    return place


def test_a_run_canceled_then_the_code_server_killed_then_all_of_it(
    folder: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows: a run canceled in the UI, the code server killed, `kill -9` of the command. One after the other.

    The sensor starts a run each time by itself, and in the end no process is left, the database's neither.
    """
    url = start_embedded_server(folder / "home")
    ensure_database(url)
    migrate(url)
    place = other_programs_chunks(empty_place(url, folder, landing, monkeypatch))
    leave_embedded_server(place.home)
    gate = Gate(folder)
    with Dev(place, gate) as dev:
        at_work = gate.pass_by(10)
        dev.cancel()
        at_work.say("go")
        gate.say_until("go", lambda: dev.statuses()[0] == "CANCELED")
        eventually(lambda: not is_at_work(at_work.process))

        at_work = gate.pass_by(10)
        dev.find("dagster api grpc").kill()
        at_work.say("go")
        gate.say_until("go", lambda: dev.statuses()[0] == "SUCCESS")
        edit(place, "edited once")

        at_work = gate.arrival()
        dev.process.kill()
        dev.process.wait(SECONDS)
        gate.open()
        dev.check_all_ended()
    assert not is_at_work(at_work.process)
    assert not (place.home / "postgres" / "postmaster.pid").exists()
    assert "the code server is gone" in dev.said

    start_embedded_server(place.home)
    found = finish(place, pending=1, later=timedelta(minutes=5))
    leave_embedded_server(place.home)
    assert len(found.current) == CHUNKS - 1


def edit(place: Place, text: str) -> None:
    """One chunk, as another program does it."""
    with program(place) as connection:
        connection.execute("UPDATE document_chunks SET text = %s WHERE chunk_index = 3", (text,))


def test_a_tick_that_times_out_then_runs_that_fail_then_the_daemon_killed(
    database_url: URL, folder: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows: a sensor's tick times out, runs fail again and again, the daemon is killed. One after the other.

    The next tick finds what is pending; after each failure the gap is longer, until all is current; the command ends.
    """
    place = other_programs_chunks(empty_place(database_url, folder, landing, monkeypatch))
    gate = Gate(folder)
    url = database_url.render_as_string(hide_password=False)
    holder = program(place)
    holder.execute("LOCK TABLE document_chunks IN ACCESS EXCLUSIVE MODE")
    with Dev(place, gate, VECTOR_ASSETS_DATABASE_URL=url, DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS="5") as dev:
        with holder:
            eventually(lambda: "The sensor tick timed out" in dev.said)
            assert dev.failed_ticks("new_chunks_sensor")

        for failures in (1, 2):
            gate.say_until("fail", lambda failures=failures: dev.statuses() == ["FAILURE"] * failures)
        gate.say_until("go", lambda: dev.statuses() == ["SUCCESS", "FAILURE", "FAILURE"])
        runs = dev.runs()[::-1]
        for number, (failed, following) in enumerate(pairwise(runs)):
            assert following["creationTime"] - failed["endTime"] >= GAP_SECONDS * 2**number

        dev.find("dagster._daemon run").kill()
        assert dev.process.wait(SECONDS) == 1
        dev.check_all_ended()
    assert "Dagster did not start" in dev.said
    gate.open()

    finish(place, pending=0)
