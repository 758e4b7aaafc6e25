"""A batch that fails is halved until the culprits are alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

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


def message_of(error: Exception) -> str:
    """What it says; where that is nothing, or cannot be had, what it is."""
    try:
        return str(error) or repr(error)
    except Exception:  # noqa: BLE001  (whoever wrote it, its message may fail as well)
        return f"{type(error).__name__}, whose message cannot be read"
