"""The guard of `silver/document_chunks`, and the run config that lifts it."""

from pathlib import Path

import dagster as dg

from vector_assets.defs.asset_keys import DOCUMENT_CHUNKS
from vector_assets.defs.assets import document_chunks, documents
from vector_assets.defs.partitions import register
from vector_assets.defs.resources import SilentListener, run_resources

from ..fakes import FakeServices
from .conftest import US, land, sentences


def test_a_shrinking_partition_fails_until_the_config_allows_it(
    services: FakeServices, instance: dg.DagsterInstance, landing: Path
) -> None:
    """The documents are read, the step that cuts fails before it deletes; with allow_shrink it goes through."""
    register(instance, [US])

    def run(**config: bool) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [documents, document_chunks],
            partition_key=str(US),
            instance=instance,
            resources=run_resources(services, SilentListener()),
            run_config={"ops": {DOCUMENT_CHUNKS.to_python_identifier(): {"config": config}}},
            raise_on_error=False,
        )

    land(landing, US, "2024.txt", sentences(40))
    assert run().success
    land(landing, US, "2024.txt", sentences(3))

    refused = run()

    assert not refused.success
    assert [event.asset_key for event in refused.get_asset_materialization_events()] == [documents.key]
    (failure,) = [event.step_failure_data for event in refused.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert "would shrink from 40 chunks to 3" in str(failure.user_failure_data.description)
    assert services.documents.counts(US) == (1, 40)
    assert run(allow_shrink=True).success
    assert services.documents.counts(US) == (1, 3)
