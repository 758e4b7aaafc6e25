"""A batch that fails is halved until each item that causes a failure is alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def attempt_halving(
    items: Sequence[Item],
    attempt: Callable[[Sequence[Item]], Sequence[Result]],
    not_of_items: tuple[type[Exception], ...] = (),
) -> tuple[list[tuple[Item, Result]], list[tuple[Item, Exception]]]:
    """Call `attempt` with all items. If it raises, call it with each half, until it fails on single items only.

    Returns the items with their results, and the items that failed alone with their errors, both in order. An error
    that is `not_of_items` is raised at once.
    """
    try:
        return list(zip(items, attempt(items), strict=True)), []
    except not_of_items:
        raise
    except Exception as error:  # noqa: BLE001  (a model raises anything)
        if len(items) == 1:
            return [], [(items[0], error)]
    middle = len(items) // 2
    done, failed = attempt_halving(items[:middle], attempt, not_of_items)
    more_done, more_failed = attempt_halving(items[middle:], attempt, not_of_items)
    return done + more_done, failed + more_failed


def message_of(error: Exception) -> str:
    """Return the error's message. An error without one, or whose message cannot be read, is described by its class."""
    try:
        return str(error) or repr(error)
    except Exception:  # noqa: BLE001  (the message is foreign code, which may fail as well)
        return f"{type(error).__name__}, whose message cannot be read"
