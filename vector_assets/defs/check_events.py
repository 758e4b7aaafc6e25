"""Checks for Dagster: their specs, and their results as evaluations of one partition."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..quality.check_result import CheckResult, Figure, Row, Severity
from ..quality.check_runner import Check, CheckResults
from ..translation import translate
from .partitions import PARTITIONS
from .runtime.check_evaluations import latest_materialization

logger = logging.getLogger(__name__)

Facts = TypeVar("Facts")

# A page loads an event with all of its tables.
_SHOWN_ROWS = 10

_SEVERITIES = {Severity.ERROR: dg.AssetCheckSeverity.ERROR, Severity.WARNING: dg.AssetCheckSeverity.WARN}


def specs_of(asset: dg.AssetKey, checks: Sequence[Check[Facts]]) -> list[dg.AssetCheckSpec]:
    """Declare the checks: partitioned like the asset, and none of them blocks what is downstream."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # of partitioned checks; tests pin what is needed of them
        return [
            dg.AssetCheckSpec(check.name, asset=asset, description=check.description, partitions_def=PARTITIONS)
            for check in checks
        ]


def log_check_results(context: dg.AssetExecutionContext, key: PartitionKey, results: CheckResults) -> None:
    """Log an evaluation of each check for the partition's newest materialization. One that is lost fails no run.

    They are events of the partition, and not results of the step, which would be for all partitions of a range run.
    """
    if not results:
        return
    try:
        target = latest_materialization(context.instance, context.asset_key, str(key))
    except Exception:
        message = translate("the check results of {partition} could not be logged", partition=key)
        logger.warning(message, exc_info=True)
        return
    for name, result in results:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=context.asset_key,
            check_name=name,
            passed=result.passed,
            metadata=_metadata(result),
            target_materialization_data=target,
            severity=_SEVERITIES[result.severity],
            description=result.description,
            blocking=False,
            partition=str(key),
        )
        try:
            context.log_event(evaluation)
        except Exception:
            message = translate(
                "the result of check {check} of {partition} could not be logged", check=name, partition=key
            )
            logger.warning(message, exc_info=True)


def outputs_of_checks(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
    """Give the outputs that Dagster expects once per run of a step that declares checks; they hold no results."""
    names = {spec.key: spec.get_python_identifier() for spec in context.assets_def.check_specs}
    for key in sorted(context.selected_asset_check_keys, key=lambda key: key.name):
        yield dg.Output(None, output_name=names[key])


def _metadata(result: CheckResult) -> Mapping[str, dg.MetadataValue]:
    return {name: _metadata_value(figure) for name, figure in result.figures.items()}


def _metadata_value(figure: Figure) -> dg.MetadataValue:
    if isinstance(figure, tuple):
        return _table(figure)
    if isinstance(figure, str):
        return dg.MetadataValue.text(figure)
    return dg.MetadataValue.int(figure) if isinstance(figure, int) else dg.MetadataValue.float(figure)


def _table(rows: Sequence[Row]) -> dg.MetadataValue:
    """Dagster stores no members of text enumerations, so they become texts."""
    records = [
        dg.TableRecord({name: str(value) if isinstance(value, str) else value for name, value in row.items()})
        for row in islice(rows, _SHOWN_ROWS)
    ]
    return dg.MetadataValue.table(records) if records else dg.MetadataValue.text("none")
