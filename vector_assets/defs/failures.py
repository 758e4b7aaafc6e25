"""Our errors as Dagster's failures: one line on the run page that says what is wrong and how to mend it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

from ..errors import VectorAssetsError

# The database was waited for already, for a minute each time. Whoever waits for longer needs the sensor, which asks for
# another run after a minute, then after two, then four.
STEP_RETRIES = 2
_PAUSE_SECONDS = 10.0


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
        failure = dg.Failure(str(error), {"error": type(error).__name__}, allow_retries=error.passes)
        if not error.passes or context.retry_number >= STEP_RETRIES:
            raise failure from error
        context.log.warning(f"attempt {context.retry_number + 2} in {_PAUSE_SECONDS:g} s: {error}")
        pause(_PAUSE_SECONDS)
        raise dg.RetryRequested(max_retries=STEP_RETRIES) from failure
