"""What we rely on in Dagster; a release that changes it shows here first."""

import dagster as dg
import pytest

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
    """Progress must not turn a partition green."""

    @dg.asset(partitions_def=PARTITIONS, output_required=False)
    def asset(context: dg.AssetExecutionContext):
        context.log_event(dg.AssetObservation(asset_key=context.asset_key, partition=KEY))
        if False:
            yield

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("p", [KEY])
        dg.materialize([asset], partition_key=KEY, instance=instance, raise_on_error=False)
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


@pytest.mark.parametrize("key", ["a,b", "[x", "a...b", "a\tb"])
def test_dagster_checks_few_characters_itself(key: str) -> None:
    """So PartitionKey must check them all."""
    with dg.DagsterInstance.ephemeral() as instance:
        try:
            instance.add_dynamic_partitions("p", [key])
        except dg.DagsterInvalidDefinitionError:
            return
        assert instance.get_dynamic_partitions("p") == [key]
