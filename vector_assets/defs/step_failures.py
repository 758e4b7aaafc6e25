"""Our errors as Dagster's failures: one line on the run page that says what is wrong and how to mend it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import dagster as dg

from ..errors import VectorAssetsError

Made = TypeVar("Made")

# The database was waited for already, for a minute each time. Whoever waits for longer needs the sensor, which asks for
# another run after a minute, then after two, then four.
STEP_RETRIES = 2
_PAUSE_SECONDS = 10.0


def failure_of(error: VectorAssetsError, metadata: Mapping[str, dg.MetadataValue] | None = None) -> dg.Failure:
    """A failed step with the error's message. Another attempt is made only where the error passes by itself."""
    entries = {"error": dg.MetadataValue.text(type(error).__name__), **(metadata or {})}
    return dg.Failure(str(error), entries, allow_retries=error.passes)


@contextmanager
def one_line_failures(context: dg.AssetExecutionContext, pause: Callable[[float], object]) -> Iterator[None]:
    """Turn an error of the family into a failed step with its message, or into another attempt where it passes.

    The pause is made here and not by Dagster, which would not notice meanwhile that somebody cancels the run.

    Raises:
        dagster.Failure, dagster.RetryRequested: in its place.
    """
    try:
        yield
    except VectorAssetsError as error:
        failure = failure_of(error)
        if not error.passes or context.retry_number >= STEP_RETRIES:
            raise failure from error
        _announce(context, context.retry_number + 2, error)
        pause(_PAUSE_SECONDS)
        raise dg.RetryRequested(max_retries=STEP_RETRIES) from failure


def tried(
    context: dg.AssetExecutionContext, make: Callable[[], Made], pause: Callable[[float], object]
) -> Made | dg.Failure:
    """What is made, or why it could not be. The attempts are made here: one of the whole step would begin anew."""
    attempt = 1
    while True:
        try:
            return make()
        except dg.Failure as failure:
            return failure
        except VectorAssetsError as error:
            if not error.passes or attempt > STEP_RETRIES:
                return failure_of(error)
            attempt += 1
            _announce(context, attempt, error)
            pause(_PAUSE_SECONDS)


def _announce(context: dg.AssetExecutionContext, attempt: int, error: VectorAssetsError) -> None:
    context.log.warning(f"attempt {attempt} in {_PAUSE_SECONDS:g} s: {error}")
