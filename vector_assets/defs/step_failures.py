"""Our errors as Dagster's failures: one line on the run page that says what is wrong and how to fix it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

import dagster as dg

from ..errors import RunCanceled, RunEnded, VectorAssetsError
from ..translation import translate
from .runtime.traceless_error import TracelessError

Result = TypeVar("Result")

Report = Callable[[VectorAssetsError], None]
"""Is called with each error of an attempt; what it raises replaces the failure."""

# The database was waited for already, for a minute each time. Whoever waits for longer needs the sensor, which requests
# another run after a minute, then after two, then four.
STEP_RETRIES = 2
_PAUSE_SECONDS = 10.0


class StepFailure(dg.Failure):
    """A failed step that keeps the error behind it, so that callers tell failures apart by the error's class."""

    def __init__(self, error: VectorAssetsError, metadata: Mapping[str, dg.MetadataValue]) -> None:
        entries = {"error": dg.MetadataValue.text(type(error).__name__), **metadata}
        super().__init__(str(error), entries, allow_retries=error.passes)
        self.error = error


class StepCanceled(StepFailure, TracelessError):
    """A step whose run was canceled: no error, and nothing that a stack trace would explain."""

    def __init__(self, error: RunCanceled) -> None:
        super().__init__(error, {})


class StepInterrupted(dg.DagsterExecutionInterruptedError, TracelessError):
    """A step whose process was asked to end, as by Ctrl-C in `vector-assets dev`; nobody canceled the run."""

    def __init__(self) -> None:
        TracelessError.__init__(
            self,
            translate(
                "interrupted: the process of the run was stopped. What was committed is kept, the rest is pending"
            ),
        )


def failure_of(error: VectorAssetsError, metadata: Mapping[str, dg.MetadataValue] | None = None) -> StepFailure:
    """Make a failed step with the error's message. It is retried only where the error passes by itself."""
    return StepFailure(error, metadata or {})


INTERRUPTS = (KeyboardInterrupt, dg.DagsterExecutionInterruptedError)
"""What ends a step whose run is canceled, or whose process is asked to end."""

_ENDED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_CANCELED = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)


def is_canceled(context: dg.AssetExecutionContext) -> bool:
    """Say whether somebody canceled the run. If the storage does not say so, nobody did."""
    return _has_status(context, _CANCELED)


def has_ended(context: dg.AssetExecutionContext) -> bool:
    """Say whether Dagster has marked the run as failed or canceled, though this process is at work on it.

    It does so when a node does not answer any more. If the storage does not say so, it did not.
    """
    return _has_status(context, _ENDED)


def require_not_ended(context: dg.AssetExecutionContext) -> None:
    """Check that the run may still succeed: Dagster would turn one that it has marked as failed into a success.

    Raises:
        dagster.Failure: Dagster has marked the run as ended.
    """
    if has_ended(context):
        raise failure_of(RunEnded())


def _has_status(context: dg.AssetExecutionContext, statuses: tuple[dg.DagsterRunStatus, ...]) -> bool:
    with suppress(Exception):
        run = context.instance.get_run_by_id(context.run_id)
        return run is not None and run.status in statuses
    return False


@contextmanager
def one_line_cancellation(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Turn a cancellation into a failed step with one sentence; Dagster marks the run as canceled all the same.

    Dagster would go on with the run's steps that do not depend on this one, so these do not begin. An interruption that
    nobody asked for, as that of a process which is stopped, stays what it is: Dagster may start such a run again.

    Raises:
        dagster.Failure: in place of the interruption.
    """
    if is_canceled(context):
        raise StepCanceled(RunCanceled())
    try:
        yield
    except INTERRUPTS:
        if not is_canceled(context):
            raise StepInterrupted from None
        raise StepCanceled(RunCanceled()) from None


def _ignore(error: VectorAssetsError) -> None:
    """Nobody wants to know of the error but Dagster."""


@contextmanager
def one_line_failures(
    context: dg.AssetExecutionContext, pause: Callable[[float], object], report: Report = _ignore
) -> Iterator[None]:
    """Turn an error of the family into a failed step with its message, or into another attempt where it passes.

    The pause is made by this process and not by Dagster, which would not notice meanwhile that the run is canceled.

    Raises:
        dagster.Failure, dagster.RetryRequested: in place of the error.
    """
    try:
        yield
    except StepFailure as failure:
        report(failure.error)
        raise
    except VectorAssetsError as error:
        report(error)
        if not error.passes or context.retry_number >= STEP_RETRIES:
            raise failure_of(error) from error
        _announce(context, context.retry_number + 2, error)
        pause(_PAUSE_SECONDS)
        raise dg.RetryRequested(max_retries=STEP_RETRIES) from failure_of(error)


def with_retries(
    context: dg.AssetExecutionContext,
    work: Callable[[], Result],
    pause: Callable[[float], object],
    report: Report,
) -> Result | StepFailure:
    """Do the work, again where an error passes; give its result or its last failure.

    Another attempt of the whole step would begin anew with the partitions that are done.
    """
    attempt = 1
    while True:
        try:
            return work()
        except StepFailure as failure:
            report(failure.error)
            return failure
        except VectorAssetsError as error:
            report(error)
            if not error.passes or attempt > STEP_RETRIES:
                return failure_of(error)
            attempt += 1
            _announce(context, attempt, error)
            pause(_PAUSE_SECONDS)


def _announce(context: dg.AssetExecutionContext, attempt: int, error: VectorAssetsError) -> None:
    message = translate(
        "attempt {attempt} in {seconds:g} s: {error}", attempt=attempt, seconds=_PAUSE_SECONDS, error=error
    )
    context.log.warning(message)
