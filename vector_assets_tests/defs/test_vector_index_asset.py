"""`gold/vector_index`: a run builds and checks the index, and its events say what it did."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import URL

from vector_assets.defs.asset_keys import VECTOR_INDEX
from vector_assets.defs.resources import SilentListener, run_resources
from vector_assets.defs.vector_index_asset import VECTOR_INDEX_ASSETS, check_result
from vector_assets.index_upkeep import IndexReport
from vector_assets.vector_index.recall import RecallOutcome, RecallReport, RecallRow

from ..fakes import SPACE, FakeServices, make_vectorizer, store_chunks
from .conftest import US
from .test_assets import failure


@pytest.fixture
def services(database_url: URL, tmp_path: Path, landing: Path) -> Iterator[FakeServices]:
    """An index pays from twenty vectors on."""
    with FakeServices(database_url, tmp_path / "home", landing, index_from_vectors=20) as services:
        yield services


def materialize(instance: dg.DagsterInstance, services: FakeServices, **config: object) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        VECTOR_INDEX_ASSETS,
        instance=instance,
        resources=run_resources(services, SilentListener()),
        run_config={"ops": {"gold__vector_index": {"config": config}}},
        raise_on_error=False,
    )


def test_a_run_builds_and_checks_the_index(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """The last observation is the whole build; the totals say what searches use, the check what they find."""
    store_chunks(services.database, [f"chunk {number}" for number in range(25)], US)
    make_vectorizer(services.database, services.embedder, 25).vectorize_partition(US)

    result = materialize(instance, services)

    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.blocking) == ("recall_at_10", True, True)
    rows = [record.data for record in check.metadata["recall_at_10"].records]
    assert {row["filter"] for row in rows} == {"none", "market", "doc_type", "market, doc_type", "company"}
    (totals,) = result.asset_materializations_for_node("gold__vector_index")
    assert (totals.metadata["vectors"].value, totals.metadata["lowest_recall_at_10"].value) == (25, 1.0)
    observed = instance.fetch_observations(VECTOR_INDEX, limit=1).records[0].asset_observation
    assert observed is not None
    assert observed.metadata["progress/percent"].value == 100
    assert services.index_upkeep.plan(SPACE).state.in_use is not None


def test_without_vectors_there_is_nothing_to_do(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """No space yet, and then one without vectors."""
    assert materialize(instance, services).success

    services.spaces.register_first(SPACE)

    result = materialize(instance, services)
    assert result.success
    assert "0 vectors" in result.asset_materializations_for_node("gold__vector_index")[0].metadata["summary"].value


def test_what_is_wrong_fails_the_run_in_one_line(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """A file of questions that is not there."""
    result = materialize(instance, services, questions="/nowhere/questions.jsonl")

    assert "cannot be read" in failure(result)


def test_a_check_that_fails_names_the_ef_search_that_would_do(services: FakeServices) -> None:
    """And the market and filter that find too little."""
    services.spaces.register_first(SPACE)
    row = RecallRow("us", "market", 100, 0.95, 0, True, 3.0)
    outcome = RecallOutcome(0.97, RecallReport(400, (row, replace(row, market="hk", recall=0.99))), None, 640)

    result = check_result([IndexReport(services.index_upkeep.plan(SPACE), 1.0, outcome)])

    assert not result.passed
    assert "ef_search 640 would do" in (result.description or "")
    assert result.metadata["lowest_recall_at_10"].value == 0.95
