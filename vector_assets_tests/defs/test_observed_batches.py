"""What other processes read of the progress of runs."""

import dagster as dg

from vector_assets.defs.asset_keys import VECTORIZED_CHUNKS
from vector_assets.defs.observed_batches import ObservedBatches
from vector_assets.defs.partitions import register

from ..fakes import FakeServices, store_chunks
from .conftest import CN, US
from .test_assets import materialize


def test_the_last_batch_of_each_run_is_read(instance: dg.DagsterInstance, services: FakeServices) -> None:
    """Of the runs since; observations of others are left out."""
    register(instance, [US, CN])
    for key, texts in ((US, ["a"]), (CN, ["甲"])):
        store_chunks(services.database, texts, key)
    before = materialize(instance, services, CN)
    observed = ObservedBatches(instance, VECTORIZED_CHUNKS)
    nothing_yet = observed.read()

    run = materialize(instance, services, US)
    instance.report_runless_asset_event(dg.AssetObservation(VECTORIZED_CHUNKS, partition=str(US), metadata={"a": 1}))

    assert before.success
    assert nothing_yet == []
    (batch,) = observed.read()
    assert (batch.run_id, batch.partition) == (run.run_id, str(US))
    assert (batch.processed, batch.total) == (1, 1)
    assert "1/1 chunk" in batch.line
    assert observed.read() == [batch]
