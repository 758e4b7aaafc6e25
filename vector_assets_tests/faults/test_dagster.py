"""Dagster's processes are killed and a run is canceled, under a real `vector-assets dev`: nothing is left behind."""

from datetime import timedelta
from pathlib import Path

import pytest

from vector_assets.storage.database_creation import ensure_database
from vector_assets.storage.embedded_server import leave_embedded_server, start_embedded_server
from vector_assets.storage.migrate import migrate

from .conftest import empty_place
from .dev import Dev, Gate
from .places import CHUNKS, SECONDS, Place, eventually, finish, is_at_work, program


def test_a_run_canceled_then_the_code_server_killed_then_all_of_it(
    folder: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows: a run canceled in the UI, the code server killed, `kill -9` of the command. One after the other.

    The sensor starts a run each time by itself, after the cancellation once a text has changed, and in the end no
    process is left, the database's neither.
    """
    url = start_embedded_server(folder / "home")
    ensure_database(url)
    migrate(url)
    place = empty_place(url, folder, landing, monkeypatch)
    place.fill_by_another_program()
    leave_embedded_server(place.home)
    gate = Gate(folder)
    with Dev(place, gate) as dev:
        at_work = gate.pass_by(10)
        dev.cancel()
        at_work.say("go")
        gate.answer_until(lambda: "CANCELED" in dev.statuses())
        eventually(lambda: not is_at_work(at_work.process))
        edit(place, "edited after the cancellation")  # or no sensor would start a run

        at_work = gate.pass_by(10)
        dev.find("dagster api grpc").kill()
        at_work.say("go")
        gate.answer_until(lambda: "SUCCESS" in dev.statuses())
        edit(place, "edited once")

        at_work = gate.arrival()
        dev.process.kill()
        dev.process.wait(SECONDS)
        gate.open()
        dev.check_all_ended()
    assert not is_at_work(at_work.process)
    assert not (place.home / "postgres" / "postmaster.pid").exists()
    assert "the code server has ended" in dev.said

    start_embedded_server(place.home)
    found = finish(place, pending=1, later=timedelta(minutes=5))
    leave_embedded_server(place.home)
    assert len(found.current) == CHUNKS - 1


def edit(place: Place, text: str) -> None:
    """One chunk, as another program does it."""
    with program(place) as connection:
        connection.execute("UPDATE document_chunks SET text = %s WHERE chunk_index = 3", (text,))
