"""A run in another process is killed with SIGKILL between two batches. Dagster's storage is on PostgreSQL."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL

from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.ports import ProgressListener

from ..defs.conftest import US, land, sentences
from ..fakes import FakeServices, rows

ALL = [DOCUMENTS, DOCUMENT_CHUNKS, VECTORIZED_CHUNKS]

# Materializes the partition in batches of 4. After the second batch it prints a line and hangs until it is killed.
CHILD = """
import sys, threading
from pathlib import Path
from sqlalchemy import make_url
from vector_assets.defs.resources import SilentListener
from vector_assets_tests.fakes import FakeServices
from vector_assets_tests.vectorizer.test_crash import ALL, materialize

class HangAfterTwo(SilentListener):
    def batch(self, partition, progress):
        if progress.batch_num == 2:
            print("two batches are committed", flush=True)
            threading.Event().wait()

url, home, landing = sys.argv[1:]
with FakeServices(make_url(url), Path(home), Path(landing)) as services:
    materialize(services, HangAfterTwo())
"""


def materialize(services: FakeServices, listener: ProgressListener | None = None, partition: PartitionKey = US):
    """Materialize all three assets in one recorded run."""
    with recorded_runs(services, listener or SilentListener()) as runs:
        runs.prepare([partition])
        return runs.run(partition, ALL, {"batch_size": 4})


def test_a_killed_run_keeps_its_batches_and_the_next_one_does_the_rest(
    database_url: URL, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promises 2 and 10: nothing is lost or done twice, and Dagster shows that the killed run failed."""
    for variable in ("DAGSTER_HOME", "VECTOR_ASSETS_DAGSTER_DATABASE_URL"):
        monkeypatch.setenv(variable, "")  # so that what is set below is undone
        monkeypatch.delenv(variable)
    land(landing, US, "2024.txt", sentences(60))
    url = database_url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", CHILD, url, str(tmp_path / "home"), str(landing)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "two batches are committed\n"
        os.kill(child.pid, signal.SIGKILL)

    with FakeServices(database_url, tmp_path / "home", landing) as services:
        kept = services.coverage.partition_status(US, services.embedder.space.slug).current
        assert kept in {8, 12, 16, 20, 24}, "not the two reported batches and up to four more, all of them whole"
        before = rows(
            services.database, f"SELECT chunk_id, created_at FROM chunk_vectors_{services.embedder.space.slug}"
        )

        result = materialize(services)

        assert result.error is None
        assert result.report.vectorized_count == 60 - kept
        assert len(services.embedder.embedded) == 60 - kept
        after = rows(
            services.database, f"SELECT chunk_id, created_at FROM chunk_vectors_{services.embedder.space.slug}"
        )
        assert len(after) == 60
        assert set(before) < set(after)
        statuses = [run.status for run in dg.DagsterInstance.get().get_runs()]
        assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
