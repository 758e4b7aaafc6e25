"""A batch that fails is halved until the culprits are alone; vectors are inspected before anybody sees them."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from ..domain import Vectors
from ..errors import BadVectors

Item = TypeVar("Item")
Result = TypeVar("Result")


def attempt_halving(
    items: Sequence[Item], attempt: Callable[[Sequence[Item]], Sequence[Result]]
) -> tuple[list[tuple[Item, Result]], list[tuple[Item, Exception]]]:
    """Call `attempt` on all items; where it raises, on each half, until the culprits are alone.

    Gives the items with their results and the single items with the error each raised, both in order.
    """
    try:
        return list(zip(items, attempt(items), strict=True)), []
    except Exception as error:  # noqa: BLE001  (a model raises anything)
        if len(items) == 1:
            return [], [(items[0], error)]
    middle = len(items) // 2
    done, failed = attempt_halving(items[:middle], attempt)
    more_done, more_failed = attempt_halving(items[middle:], attempt)
    return done + more_done, failed + more_failed


def inspect_vectors(vectors: Vectors, count: int, dimension: int) -> Vectors:
    """Give a float32 copy if each may be stored: right count and dimension, finite and not zero as float16.

    A copy, for the embedder may use its array for the next answer before this one is stored.

    Raises:
        BadVectors: otherwise.
    """
    if vectors.shape != (count, dimension):
        raise BadVectors(f"shape {vectors.shape} instead of {(count, dimension)}")
    if vectors.dtype.kind != "f":
        raise BadVectors(f"{vectors.dtype} instead of float32")
    with np.errstate(over="ignore", under="ignore"):
        stored = vectors.astype(np.float16)  # what halfvec keeps: beyond 65,504 is infinite, below 3e-8 is zero
    if not np.isfinite(stored).all():
        raise BadVectors("a vector that is not finite")
    if not stored.any(axis=1).all():
        raise BadVectors("a zero vector")
    return vectors.astype(np.float32)


def message_of(error: Exception) -> str:
    """What it says; where that is nothing, or cannot be had, what it is."""
    try:
        return str(error) or repr(error)
    except Exception:  # noqa: BLE001  (whoever wrote it, its message may fail as well)
        return f"{type(error).__name__}, whose message cannot be read"
