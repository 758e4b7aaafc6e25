"""Iterators whose next items are made in threads meanwhile: bounded, in order, and gone with the run."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items that may wait beyond those in the making: enough that no worker waits while one result is being committed.
_SPARE = 2


def ahead(items: Iterator[Item]) -> Generator[Item]:
    """The items, each being made while the one before it is in use. What the making raises comes in its turn."""
    with ThreadPoolExecutor(1, "vector-assets-read") as maker:
        upcoming = maker.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = maker.submit(next, items, None)
            yield item


def overlapped(work: Callable[[Item], Result], items: Iterator[Item], at_once: int) -> Generator[Result]:
    """What `work` makes of each item, in order, up to `at_once` of them at work at a time.

    When the iterator is closed, or `work` raises, what has not begun is dropped and what has is waited for.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(at_once, "vector-assets-embed") as workers:
        try:
            for item in items:
                waiting.append(workers.submit(work, item))
                if len(waiting) >= at_once + _SPARE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
