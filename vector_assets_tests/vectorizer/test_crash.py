"""A run in another process is killed with SIGKILL between two batches. Dagster's storage is on PostgreSQL."""

import threading
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL, make_url

from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from vector_assets.defs.resources import SilentListener
from vector_assets.defs.runtime.in_process import recorded_runs
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.progress import BatchProgress
from vector_assets.ports import ProgressListener

from ..defs.conftest import US, land, sentences
from ..fakes import FakeServices, rows
from ..forked_programs import ForkedProgram

ALL = [DOCUMENTS, DOCUMENT_CHUNKS, VECTORIZED_CHUNKS]


class HangAfterTwo(SilentListener):
    """Prints a line after the second batch and hangs until it is killed."""

    def batch(self, partition: PartitionKey, progress: BatchProgress) -> None:
        if progress.batch_num == 2:
            print("two batches are committed", flush=True)
            threading.Event().wait()


def main(url: str, home: str, landing: str) -> None:
    """Materialize the partition in the process that is killed."""
    with FakeServices(make_url(url), Path(home), Path(landing)) as services:
        materialize(services, HangAfterTwo())


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
    with ForkedProgram(__name__, url, str(tmp_path / "home"), str(landing)) as child:
        assert child.stdout.readline() == "two batches are committed\n"
        child.kill()

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
