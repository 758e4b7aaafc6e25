"""Our definitions beside those of another project, as docs/mounting.md shows it."""

import json
import os
import re
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import URL

from vector_assets import code_location
from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS, DOCUMENTS, VECTORIZED_CHUNKS
from vector_assets.defs.partitions import register
from vector_assets.defs.runtime.run_processes import NODE_TAG, PROCESS_TAG, has_lost_its_process, signature
from vector_assets.services import Services

from ..fakes import HashEmbedder
from .conftest import US, land, sentences

PAGE = Path(__file__).parents[2] / "docs" / "mounting.md"
CRAWLED, PROFILE, PORTFOLIO = (dg.AssetKey(name) for name in ("crawled_filings", "company_profile", "portfolio"))

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")


def code_of_page() -> str:
    """The one block of Python."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    return code[1]


@cache
def mounted() -> dg.Definitions:
    """What the page's code makes."""
    names: dict[str, Any] = {}
    exec(code_of_page(), names)
    return names["defs"]


def mounted_job() -> dg.JobDefinition:
    """What their Assets page starts."""
    return mounted().resolve_implicit_global_asset_job_def()


def ingest_job() -> dg.JobDefinition:
    """What the sensor of the landing directory starts."""
    return mounted().resolve_job_def("vector_assets_ingest")


def own_job() -> dg.JobDefinition:
    """What our own Assets page starts."""
    return code_location.defs.resolve_implicit_global_asset_job_def()


def test_the_definitions_of_both_load() -> None:
    """With their executor, and lines from their assets to ours and back."""
    defs = mounted()

    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    assert graph.get(DOCUMENTS).parent_keys == {CRAWLED}
    assert graph.get(PROFILE).parent_keys == {VECTORIZED_CHUNKS}
    executors = {job.name: job.executor_def.name for job in defs.resolve_all_job_defs()}
    assert executors["__ASSET_JOB"] == executors["ingest"] == "multiprocess"
    assert {name for name, executor in executors.items() if executor == "in_process"} == {
        "vector_assets_ingest",
        "vector_assets_vectorize",
        "vector_assets_fill_candidate",
        "vector_assets_promote",
        "vector_assets_coverage",
        "vector_assets_index",
    }
    assert own_job().executor_def.name == "in_process"


@pytest.fixture
def _environment(database_url: URL, tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of their code location; a file for one partition is in the landing directory."""
    land(landing, US, "2024.txt", sentences(3))
    monkeypatch.setenv("VECTOR_ASSETS_DATABASE_URL", database_url.render_as_string(hide_password=False))
    monkeypatch.setenv("VECTOR_ASSETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VECTOR_ASSETS_LANDING_DIR", str(landing))


def materialized(instance: dg.DagsterInstance, partition: str, *assets: dg.AssetKey) -> set[str]:
    """Materialize the assets of both projects in one run; give the keys of those that succeeded."""
    result = mounted_job().execute_in_process(instance=instance, partition_key=partition, asset_selection=list(assets))
    assert result.success
    return {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}


@pytest.mark.usefixtures("_environment")
def test_both_materialize_in_one_instance(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its own resources and partitions; ours change nothing that theirs may set."""
    embedder = HashEmbedder()
    monkeypatch.setattr(Services, "embedder", embedder)
    register(instance, [US])
    instance.add_dynamic_partitions("filings", ["theirs"])
    environment = dict(os.environ)

    theirs = materialized(instance, "us", CRAWLED) | materialized(instance, "theirs", PORTFOLIO)
    both = materialized(instance, str(US), DOCUMENTS, DOCUMENT_CHUNKS, VECTORIZED_CHUNKS, PROFILE)

    assert theirs == {"crawled_filings", "portfolio"}
    assert both == {"bronze/documents", "silver/document_chunks", "silver/vectorized_chunks", "company_profile"}
    assert len(set(embedder.embedded)) == 3
    assert dict(os.environ) == environment


@pytest.mark.usefixtures("_environment")
def test_a_run_is_signed_by_its_own_process_and_not_by_that_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A multiprocess executor ends that with the step: a sensor would take the run for a killed one."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "mounted.py").write_text(code_of_page(), encoding="utf-8")
    select = ["--select", "bronze/documents", "--partition", str(US)]
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-f", "mounted.py", *select]
    with dg.DagsterInstance.get() as instance:
        register(instance, [US])

        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            _, errors = process.communicate()

        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.SUCCESS, errors
        _, pid, _, run_id = json.loads(run.tags[PROCESS_TAG])
        assert (pid, run_id) == (process.pid, run.run_id)
        assert instance.get_materialized_partitions(DOCUMENTS) == {str(US)}


@pytest.mark.usefixtures("_environment")
def test_a_run_in_one_process_is_signed_by_that(instance: dg.DagsterInstance) -> None:
    """As the sensor's runs are, whatever executor the other project has."""
    register(instance, [US])

    result = dg.execute_job(dg.reconstructable(ingest_job), instance, tags={"dagster/partition": str(US)})

    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.SUCCESS
    assert run.tags[PROCESS_TAG] == signature(run.run_id)[PROCESS_TAG]
    assert run.tags[NODE_TAG] == socket.gethostname()
    assert not has_lost_its_process(run)
