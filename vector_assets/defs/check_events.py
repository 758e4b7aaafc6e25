"""Asset checks, one verdict a partition: what is promised, whether it holds, and the evidence."""

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_line
from .partitions import PARTITIONS
from .runtime.check_targets import last_materialization

logger = logging.getLogger(__name__)

Facts = TypeVar("Facts")

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN

# An event is read whole with its page: a table has few lines, and a line is one.
_SHOWN = 10
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Verdict:
    """Whether a promise holds for a partition, in one sentence or two with the mend, and the figures behind it.

    The severity tells how bad it is that it does not hold.
    """

    passed: bool
    words: str
    evidence: Mapping[str, dg.MetadataValue] = field(default_factory=dict)
    severity: dg.AssetCheckSeverity = ERROR


@dataclass(frozen=True)
class Check(Generic[Facts]):
    """A promise, and what judges it by the facts of one partition after a run."""

    name: str
    promise: str
    judge: Callable[[Facts], Verdict]


Judged = Iterable[tuple[str, Verdict]]
"""Names of checks with their verdicts; may be worked out while it is gone through."""


def specs_of(asset: dg.AssetKey, checks: Sequence[Check[Facts]]) -> list[dg.AssetCheckSpec]:
    """What Dagster is told of the checks: they are partitioned as the asset is, and none stops anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # of partitioned checks; tests pin what is needed of them
        return [
            dg.AssetCheckSpec(check.name, asset=asset, description=check.promise, partitions_def=PARTITIONS)
            for check in checks
        ]


def judged(checks: Sequence[Check[Facts]], gather: Callable[[], Facts]) -> Iterator[tuple[str, Verdict]]:
    """Gather the facts once, and judge. What goes wrong on the way is a verdict too: the promise was not looked at."""
    try:
        facts = gather()
    except Exception as error:
        logger.warning("what checks judge by could not be gathered", exc_info=True)
        yield from ((check.name, _not_judged(error)) for check in checks)
        return
    for check in checks:
        try:
            verdict = check.judge(facts)
        except Exception as error:
            logger.warning("the check %s failed", check.name, exc_info=True)
            verdict = _not_judged(error)
        yield check.name, verdict


def _not_judged(error: Exception) -> Verdict:
    """Neither a promise kept nor one broken; shown as a warning, for nobody would see what is left out."""
    reason = f"{type(error).__name__}: {error}"
    words = f"This could not be looked at, and says nothing of the partition. {reason}"
    return Verdict(False, readable_line(words, _SHOWN_CHARACTERS), severity=WARN)


def tell_verdicts(context: dg.AssetExecutionContext, key: PartitionKey, verdicts: Judged) -> None:
    """Log an evaluation of each check for the partition, as it was last materialized. One that is lost costs no run.

    By events of the partition's own, and not by what a step gives back, which is one for all partitions of a range.
    """
    try:
        target = last_materialization(context, str(key))
    except Exception:
        logger.warning("the checks of %s could not be told", key, exc_info=True)
        return
    for name, verdict in verdicts:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=context.asset_key,
            check_name=name,
            passed=verdict.passed,
            metadata=verdict.evidence,
            target_materialization_data=target,
            severity=verdict.severity,
            description=verdict.words,
            blocking=False,
            partition=str(key),
        )
        try:
            context.log_event(evaluation)
        except Exception:
            logger.warning("the check %s of %s could not be told", name, key, exc_info=True)


def outputs_of_checks(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
    """What Dagster expects of a step that declares checks, once a run; the verdicts are told apart from that."""
    names = {spec.key: spec.get_python_identifier() for spec in context.assets_def.check_specs}
    for key in sorted(context.selected_asset_check_keys, key=lambda key: key.name):
        yield dg.Output(None, output_name=names[key])


def table(records: Iterable[Mapping[str, str | int | float]]) -> dg.MetadataValue:
    """At most ten lines. Members of enumerations that are texts become texts, for Dagster stores no others."""
    shown = [
        dg.TableRecord({name: str(value) if isinstance(value, str) else value for name, value in record.items()})
        for record in islice(records, _SHOWN)
    ]
    return dg.MetadataValue.table(shown) if shown else dg.MetadataValue.text("none")


def limit_of(value: float) -> dg.MetadataValue:
    """As a text: Dagster plots numbers over time, and a limit stays."""
    return dg.MetadataValue.text(f"{value:g}")


def counted(number: int, noun: str) -> str:
    """`1 chunk`, `2,000 chunks`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
