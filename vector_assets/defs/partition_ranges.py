"""One run over one partition or many: each is materialized, or fails, by itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import dagster as dg

from ..domain.partition_keys import PartitionKey
from ..domain.wording import readable_line
from ..errors import EmptyRange, PartitionBusy, PartitionsFailed, PartitionWouldShrink, TooManyFailures
from ..quality.checks import CheckResults
from ..services import Services
from .check_events import log_check_results, outputs_of_checks
from .partitions import run_tags
from .step_failures import failure_of, one_line_failures, tried

# What is wrong with one partition. Any other failure, of the database or the model, would be the next one's as well.
_OF_ONE_PARTITION = {error.__name__ for error in (TooManyFailures, PartitionBusy, PartitionWouldShrink)}

# A table in an event is read whole with its run; all of it is in the run's log.
_SHOWN = 10
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Made:
    """What one partition's materialization says of itself, and the check results to log once it is stored."""

    metadata: Mapping[str, dg.MetadataValue]
    data_version: str
    check_results: CheckResults = ()


Make = Callable[[PartitionKey], Made]
Results = Iterator[dg.MaterializeResult[None] | dg.Output[None]]


def materialize_each(context: dg.AssetExecutionContext, services: Services, make: Make) -> Results:
    """Materialize the run's partition; or, in a run over a range, each as soon as it is done.

    Of a range nothing is given back: Dagster would take that for all of its partitions. The asset must be declared with
    `output_required=False`.

    Raises:
        dagster.Failure, dagster.RetryRequested: of a range, when all that could be done is done.
    """
    if context.has_partition_key:
        yield from _single(context, services, make)
        return
    done = _Range(context, services, make)
    for key, made in done.each():
        context.log_event(_materialization(context, key, made))
        log_check_results(context, key, made.check_results)
    done.raise_failures()
    yield from outputs_of_checks(context)


def materialize_together(context: dg.AssetExecutionContext, services: Services, make: Make) -> Results:
    """The same for an asset that others of the same run wait for: Dagster skips them unless something is given back.

    So a range is materialized at its end, each partition with its own metadata; where one failed, the others are.
    """
    if context.has_partition_key:
        yield from _single(context, services, make)
        return
    done = _Range(context, services, make)
    made = dict(done.each())
    if done.failures:
        for key, one in made.items():
            context.log_event(_materialization(context, key, one))
            log_check_results(context, key, one.check_results)
    done.raise_failures()
    for key, one in made.items():
        context.add_asset_metadata(one.metadata, partition_key=str(key))
    yield dg.MaterializeResult()
    for key, one in made.items():
        log_check_results(context, key, one.check_results)
    yield from outputs_of_checks(context)


def _single(context: dg.AssetExecutionContext, services: Services, make: Make) -> Results:
    with one_line_failures(context, services.retries.pause):
        key = PartitionKey.parse(context.partition_key)
    _tag(context, [key])
    try:
        with one_line_failures(context, services.retries.pause):
            made = make(key)
    except dg.Failure as failure:
        tell_failure(context, key, failure)
        raise
    yield dg.MaterializeResult(metadata=made.metadata, data_version=dg.DataVersion(made.data_version))
    log_check_results(context, key, made.check_results)
    yield from outputs_of_checks(context)


class _Range:
    """The partitions of a run over a range, one after another."""

    def __init__(self, context: dg.AssetExecutionContext, services: Services, make: Make) -> None:
        self._context, self._services, self._make = context, services, make
        self.failures: list[tuple[PartitionKey, dg.Failure]] = []
        self._keys = [PartitionKey.parse(key) for key in context.partition_keys]
        if not self._keys:  # Dagster would call that a success
            raise failure_of(EmptyRange(context.partition_key_range.start, context.partition_key_range.end))
        self._tried = 0
        _tag(context, self._keys)

    def each(self) -> Iterator[tuple[PartitionKey, Made]]:
        """Those that could be made. A failure that is not of one partition alone ends it."""
        for key in self._keys:
            self._tried += 1
            made = tried(self._context, partial(self._make, key), self._services.retries.pause)
            if isinstance(made, Made):
                self._context.log.info(f"[{self._tried}/{len(self._keys)}] {key} is done")
                yield key, made
                continue
            self._tell(key, made)
            if str(made.metadata["error"].value) not in _OF_ONE_PARTITION:
                return

    def _tell(self, key: PartitionKey, failure: dg.Failure) -> None:
        """On the partition's own page too: the run's page is about all of them."""
        self.failures.append((key, failure))
        reason = failure.description or ""
        self._context.log.error(f"[{self._tried}/{len(self._keys)}] {key} failed: {reason}")
        tell_failure(self._context, key, failure)

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


def tell_failure(context: dg.AssetExecutionContext, key: PartitionKey, failure: dg.Failure) -> None:
    """On the partition's own page, which says of a failed run only that there was one."""
    metadata = {"failed": dg.MetadataValue.text(failure.description or ""), **failure.metadata}
    with suppress(Exception):  # or it would hide the failure itself
        context.log_event(dg.AssetObservation(context.asset_key, partition=str(key), metadata=metadata))


def _materialization(context: dg.AssetExecutionContext, key: PartitionKey, made: Made) -> dg.AssetMaterialization:
    tags = {"dagster/data_version": made.data_version}
    return dg.AssetMaterialization(context.asset_key, partition=str(key), metadata=made.metadata, tags=tags)


def _tag(context: dg.AssetExecutionContext, keys: Sequence[PartitionKey]) -> None:
    """A run that somebody started from a page has no tags of ours yet."""
    tags = run_tags(keys) | ({"partitions": f"{len(keys):,}"} if len(keys) > 1 else {})
    missing = {name: value for name, value in tags.items() if name not in context.run.tags}
    if missing:
        context.instance.add_run_tags(context.run_id, missing)
