"""The sensor under a real `vector-assets dev`: what stops it or its runs, it asks again and gets there."""

from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import URL

from .conftest import empty_place
from .dev import Dev, Gate
from .gated import GAP_SECONDS
from .places import SECONDS, eventually, finish, program


def test_a_tick_that_times_out_then_runs_that_fail_then_the_daemon_killed(
    database_url: URL, folder: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows: a sensor's tick times out, runs fail again and again, the daemon is killed. One after the other.

    The next tick finds what is pending; after each failure the gap is longer, until all is current; the command ends.
    """
    place = empty_place(database_url, folder, landing, monkeypatch)
    place.fill_by_another_program()
    gate = Gate(folder)
    url = database_url.render_as_string(hide_password=False)
    holder = program(place)
    holder.execute("LOCK TABLE document_chunks IN ACCESS EXCLUSIVE MODE")
    with Dev(place, gate, VECTOR_ASSETS_DATABASE_URL=url, DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS="5") as dev:
        with holder:
            eventually(lambda: "The sensor tick timed out" in dev.said)
            assert dev.failed_ticks("vector_assets_new_chunks_sensor")

        gate.answer_until(lambda: "SUCCESS" in dev.statuses(), failing=2)
        assert dev.statuses() == ["SUCCESS", "FAILURE", "FAILURE"]
        runs = dev.runs()[::-1]
        for number, (failed, following) in enumerate(pairwise(runs)):
            assert following["creationTime"] - failed["endTime"] >= GAP_SECONDS * 2**number

        dev.find("dagster._daemon run").kill()
        assert dev.process.wait(SECONDS) == 1
        dev.check_all_ended()
    assert "Dagster did not start" in dev.said
    gate.open()

    finish(place, pending=0)
