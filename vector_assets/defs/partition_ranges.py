"""One run over one partition or many: each is materialized, or fails, by itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_line
from ..errors import (
    EmptyRange,
    PartitionBusy,
    PartitionsFailed,
    PartitionWouldShrink,
    TooManyFailures,
)
from ..ports import RunListener
from ..quality.check_runner import CheckResults
from ..services import Services
from ..translation import translate
from .check_events import log_check_results, outputs_of_checks
from .partitions import run_tags
from .runtime.run_processes import place_tags
from .runtime.tags import DATA_VERSION_TAG
from .step_failures import (
    StepCanceled,
    StepFailure,
    failure_of,
    one_line_cancellation,
    one_line_failures,
    require_not_ended,
    with_retries,
)

# What is wrong with one partition. Any other failure, of the database or the model, would be the next one's as well.
_OF_ONE_PARTITION = (TooManyFailures, PartitionBusy, PartitionWouldShrink)

# A table in an event is read whole with its run; all of it is in the run's log.
_SHOWN = 10
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class PartitionResult:
    """What a partition's materialization records, and the check results that are logged once it is stored."""

    metadata: Mapping[str, dg.MetadataValue]
    data_version: str
    check_results: CheckResults = ()


Results = Iterator[dg.MaterializeResult[None] | dg.Output[None]]


@dataclass(frozen=True)
class PartitionedStep:
    """A step over the run's partitions: `work` does one of them, with the services and the listener of the run."""

    context: dg.AssetExecutionContext
    services: Services
    listener: RunListener
    work: Callable[[PartitionKey], PartitionResult]

    def materialize_each(self) -> Results:
        """Materialize the run's partition; or, in a run over a range, each as soon as it is done.

        Of a range nothing is yielded: Dagster would take that for all of its partitions. The asset must be declared
        with `output_required=False`.

        Raises:
            dagster.Failure, dagster.RetryRequested: of a range, when all that could be done is done.
        """
        with one_line_cancellation(self.context):
            if self.context.has_partition_key:
                yield from self._single()
                return
            partitions = _Range(self)
            for key, result in partitions.results():
                _log_result(self.context, key, result)
            require_not_ended(self.context)
            partitions.raise_failures()
            yield from outputs_of_checks(self.context)

    def materialize_together(self) -> Results:
        """Do the same for an asset that others of the run wait for: Dagster skips them unless something is yielded.

        So a range is materialized at its end, each partition with its own metadata; where one failed, the others are.
        """
        with one_line_cancellation(self.context):
            if self.context.has_partition_key:
                yield from self._single()
                return
            partitions = _Range(self)
            results = dict(partitions.results())
            require_not_ended(self.context)
            if partitions.failures:
                for key, result in results.items():
                    _log_result(self.context, key, result)
            partitions.raise_failures()
            for key, result in results.items():
                self.context.add_asset_metadata(result.metadata, partition_key=str(key))
            yield dg.MaterializeResult()
            for key, result in results.items():
                log_check_results(self.context, key, result.check_results)
            yield from outputs_of_checks(self.context)

    def _single(self) -> Results:
        context, pause = self.context, self.services.retries.pause
        with one_line_failures(context, pause):
            key = PartitionKey.parse(context.partition_key)
        _tag_run(context, [key])
        try:
            with one_line_failures(context, pause, partial(self.listener.failure, key)):
                _tag_company(context, self.services.company_names.of(key))
                result = self.work(key)
                require_not_ended(context)
        except dg.Failure as failure:
            _log_failure(context, key, failure)
            raise
        yield dg.MaterializeResult(metadata=result.metadata, data_version=dg.DataVersion(result.data_version))
        log_check_results(context, key, result.check_results)
        yield from outputs_of_checks(context)


class _Range:
    """The partitions of a run over a range, one after another."""

    def __init__(self, step: PartitionedStep) -> None:
        self._step, self._context = step, step.context
        self.failures: list[tuple[PartitionKey, StepFailure]] = []
        self._keys = [PartitionKey.parse(key) for key in self._context.partition_keys]
        if not self._keys:  # Dagster would call that a success
            bounds = self._context.partition_key_range
            raise failure_of(EmptyRange(bounds.start, bounds.end))
        self._tried = 0
        _tag_run(self._context, self._keys)

    def results(self) -> Iterator[tuple[PartitionKey, PartitionResult]]:
        """Do one partition after another. A failure that is not of one partition alone ends it."""
        step = self._step
        for key in self._keys:
            self._tried += 1
            report = partial(step.listener.failure, key)
            result = with_retries(self._context, partial(step.work, key), step.services.retries.pause, report)
            require_not_ended(self._context)
            if isinstance(result, PartitionResult):
                self._context.log.info(f"{self._place} " + translate("{partition} is done", partition=key))
                yield key, result
                continue
            if isinstance(result, StepCanceled):
                raise result
            self.failures.append((key, result))
            failed = translate("{partition} failed: {reason}", partition=key, reason=result.description)
            self._context.log.error(f"{self._place} {failed}")
            _log_failure(self._context, key, result)
            if not isinstance(result.error, _OF_ONE_PARTITION):
                return

    @property
    def _place(self) -> str:
        return f"[{self._tried}/{len(self._keys)}]"

    def raise_failures(self) -> None:
        """Fail the run if any of its partitions did.

        Raises:
            dagster.Failure: it says which, and why; another attempt would fail alike.
        """
        if not self.failures:
            return
        reasons = [(str(key), failure.description or "") for key, failure in self.failures]
        error = PartitionsFailed(reasons, self._tried, len(self._keys))
        records = [
            dg.TableRecord({"partition": key, "message": readable_line(reason, _SHOWN_CHARACTERS)})
            for key, reason in reasons[:_SHOWN]
        ]
        metadata = {"partitions": dg.MetadataValue.table(records)}
        raise failure_of(error, metadata) from self.failures[-1][1]


def _tag_company(context: dg.AssetExecutionContext, name: str) -> None:
    """Tag the run with the company's name, where it is known."""
    if name and "company" not in context.run.tags:
        context.instance.add_run_tags(context.run_id, {"company": name})


def _log_result(context: dg.AssetExecutionContext, key: PartitionKey, result: PartitionResult) -> None:
    """Log one partition's materialization and then its check results, as of a range Dagster does neither itself."""
    tags = {DATA_VERSION_TAG: result.data_version}
    context.log_event(
        dg.AssetMaterialization(context.asset_key, partition=str(key), metadata=result.metadata, tags=tags)
    )
    log_check_results(context, key, result.check_results)


def _log_failure(context: dg.AssetExecutionContext, key: PartitionKey, failure: dg.Failure) -> None:
    """Log the reason on the partition's own page, which says of a failed run only that there was one."""
    name = "canceled" if isinstance(failure, StepCanceled) else "failed"
    metadata = {name: dg.MetadataValue.text(failure.description or ""), **failure.metadata}
    with suppress(Exception):  # or it would hide the failure itself
        context.log_event(dg.AssetObservation(context.asset_key, partition=str(key), metadata=metadata))


def _tag_run(context: dg.AssetExecutionContext, keys: Sequence[PartitionKey]) -> None:
    """Tag the run with where it is, and with what its partitions share where somebody started it from a page."""
    tags = run_tags(keys) | ({"partitions": f"{len(keys):,}"} if len(keys) > 1 else {})
    missing = {name: value for name, value in tags.items() if name not in context.run.tags} | place_tags(context)
    context.instance.add_run_tags(context.run_id, missing)
