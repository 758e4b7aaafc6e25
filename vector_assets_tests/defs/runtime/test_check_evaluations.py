"""What is used of Dagster's private class of check targets, and what breaks if it changes."""

import dagster as dg

from vector_assets.defs.check_events import specs_of
from vector_assets.defs.partitions import PARTITIONS, register
from vector_assets.defs.runtime.check_evaluations import latest_materialization
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.quality.check_result import CheckResult
from vector_assets.quality.check_runner import Check

ASSET = dg.AssetKey(["silver", "vectorized_chunks"])
KEYS = ["us/annual_report/XA", "us/annual_report/XB"]
CHECKS = [Check("complete", "It is complete.", lambda _: CheckResult(True, "It is."))]


@dg.asset(
    key=ASSET,
    partitions_def=PARTITIONS,
    check_specs=specs_of(ASSET, CHECKS),
)
def checked(context: dg.AssetExecutionContext) -> dg.Output[None]:
    """Logs an evaluation about the newest materialization before this run's own."""
    evaluation = dg.AssetCheckEvaluation(
        asset_key=ASSET,
        check_name="complete",
        passed=True,
        metadata={},
        target_materialization_data=latest_materialization(context.instance, ASSET, context.partition_key),
        partition=context.partition_key,
    )
    context.log_event(evaluation)
    yield dg.Output(None)
    yield dg.Output(None, output_name="silver__vectorized_chunks_complete")


def test_a_partition_that_was_never_materialized_has_no_target() -> None:
    """Its evaluations are stored without one."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert latest_materialization(instance, ASSET, KEYS[0]) is None


def test_the_target_is_the_partitions_newest_materialization_and_is_stored_with_the_evaluation() -> None:
    """If this breaks, Dagster has changed AssetCheckEvaluationTargetMaterializationData: all results look outdated."""
    with dg.DagsterInstance.ephemeral() as instance:
        register(instance, [PartitionKey.parse(key) for key in KEYS])
        runs = [
            dg.materialize([checked], partition_key=key, instance=instance).run_id
            for key in (KEYS[0], KEYS[0], KEYS[1], KEYS[0])
        ]

        target = latest_materialization(instance, ASSET, KEYS[0])
        entries = instance.all_logs(runs[3], of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        stored = [entry.asset_check_evaluation.target_materialization_data for entry in entries]

        assert target is not None
        assert target.run_id == runs[3]
        assert [item.run_id for item in stored if item is not None] == [runs[1]]
