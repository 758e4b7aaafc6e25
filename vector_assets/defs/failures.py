"""Our errors as Dagster's failures: one line on the run page that says what is wrong and how to mend it."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from ..errors import VectorAssetsError


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Turn an error of the family into a failed step with its message.

    Raises:
        dagster.Failure: in its place.
    """
    try:
        yield
    except VectorAssetsError as error:
        raise dg.Failure(description=str(error), metadata={"error": type(error).__name__}) from error
