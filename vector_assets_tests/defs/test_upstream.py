"""What we rely on in Dagster; a release that changes it shows here first."""

import dagster as dg
import pytest

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import InvalidPartitionKey

KEY = "us/annual_report/BRK.B"
PARTITIONS = dg.DynamicPartitionsDefinition(name="p")


def test_a_dynamic_partition_may_hold_slashes_and_dots() -> None:
    """Our keys."""

    @dg.asset(partitions_def=PARTITIONS)
    def asset(context: dg.AssetExecutionContext) -> None:
        assert context.partition_key == KEY

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("p", [KEY])
        assert dg.materialize([asset], partition_key=KEY, instance=instance).success
        assert instance.get_materialized_partitions(asset.key) == {KEY}


def test_an_observation_does_not_materialize_a_partition() -> None:
    """Progress must not turn a partition green: the step succeeds and its observation is stored, and that is all."""

    @dg.asset(partitions_def=PARTITIONS, output_required=False)
    def asset(context: dg.AssetExecutionContext):
        context.log_event(dg.AssetObservation(asset_key=context.asset_key, partition=KEY))
        yield from ()

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("p", [KEY])
        result = dg.materialize([asset], partition_key=KEY, instance=instance)

        assert result.success
        observed = instance.fetch_observations(asset.key, limit=10).records
        assert [record.partition_key for record in observed] == [KEY]
        assert instance.get_materialized_partitions(asset.key) == set()


def test_metadata_keeps_its_order() -> None:
    """The progress line comes first on the run page."""
    names = ["progress", "b", "a", "c"]
    observation = dg.AssetObservation(asset_key="a", metadata=dict.fromkeys(names, 1))

    assert list(observation.metadata) == names


def test_partitions_keep_the_order_in_which_they_were_added() -> None:
    """So keys are added sorted, and a market stays together."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("p", ["b", "a"])
        instance.add_dynamic_partitions("p", ["c"])
        assert instance.get_dynamic_partitions("p") == ["b", "a", "c"]


@pytest.mark.parametrize("key", ["us/report/a,b", "us/report/[x", "us/report/a b", "us/report/a|b"])
def test_dagster_takes_partitions_that_its_pages_cannot_select(key: str) -> None:
    """So PartitionKey must refuse them. When Dagster refuses them itself, ours may be shortened."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("p", [key])

        assert instance.get_dynamic_partitions("p") == [key]
    with pytest.raises(InvalidPartitionKey):
        PartitionKey.parse(key)
