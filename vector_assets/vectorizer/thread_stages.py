"""Iterators whose next items are made in threads meanwhile: bounded, in order, and gone with the run."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self, TypeVar

from .embed_deadline import ANSWER_SIGNALS_SECONDS, Deadline

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items that may wait beyond those in the making: enough that no worker waits while one result is being committed.
_SPARE = 2


def apart(work: Callable[[], Result], deadline: Deadline) -> Result:
    """What `work` gives, made in a thread of its own that can be left behind."""
    with _Threads("vector-assets-load", 1, deadline) as threads:
        return threads.result(threads.submit(work))


def ahead(items: Iterator[Item], deadline: Deadline) -> Generator[Item]:
    """The items, each being made while the one before it is in use. What the making raises comes in its turn."""
    with _Threads("vector-assets-read", 1, deadline) as maker:
        upcoming = maker.submit(partial(next, items, None))
        while (item := maker.result(upcoming)) is not None:
            upcoming = maker.submit(partial(next, items, None))
            yield item


def overlapped(
    work: Callable[[Item], Result], items: Iterator[Item], at_once: int, deadline: Deadline
) -> Generator[Result]:
    """What `work` makes of each item, in order, up to `at_once` of them at work at a time.

    When the iterator is closed, or `work` raises, what has not begun is dropped and what has is waited for.
    """
    waiting: deque[Future[Result]] = deque()
    with _Threads("vector-assets-embed", at_once, deadline) as workers:
        for item in items:
            waiting.append(workers.submit(partial(work, item)))
            if len(waiting) >= at_once + _SPARE:
                yield workers.result(waiting.popleft())
        while waiting:
            yield workers.result(waiting.popleft())


@dataclass
class Waits:
    """Seconds in which nothing was ready: `for_items` that were to be made, `for_work` where all workers had one."""

    for_items: float = 0.0
    for_work: float = 0.0


def as_done(
    work: Callable[[Item], Result], items: Iterator[Item], at_once: int, deadline: Deadline, waits: Waits
) -> Generator[Result]:
    """What `work` makes of each item, in order, each as soon as it is there, while the next item is waited for.

    What the making of an item raises comes in its turn. When the iterator is closed, or `work` raises, what has not
    begun is dropped and what has is waited for.
    """
    waiting: deque[Future[Result]] = deque()
    with (
        _Threads("vector-assets-commit", at_once, deadline) as workers,
        _Threads("vector-assets-take", 1, deadline) as taker,
    ):
        upcoming = taker.submit(partial(next, items, None))
        exhausted = False
        while waiting or not exhausted:
            open_ = not exhausted and len(waiting) < at_once + _SPARE
            before = time.perf_counter()
            awaited = [*([upcoming] if open_ else []), *([waiting[0]] if waiting else [])]
            while not wait(awaited, ANSWER_SIGNALS_SECONDS, FIRST_COMPLETED).done:
                pass
            waited = time.perf_counter() - before
            if open_:
                waits.for_items += waited
            else:
                waits.for_work += waited
            # What the making of the next item raised comes in its turn: after what was made before it.
            if waiting and (waiting[0].done() or (upcoming.done() and upcoming.exception() is not None)):
                yield waiting.popleft().result()
            elif (item := upcoming.result()) is None:
                exhausted = True
            else:
                waiting.append(workers.submit(partial(work, item)))
                upcoming = taker.submit(partial(next, items, None))


class _Threads:
    """At most so many threads that make calls in turn, and end with the `with` block.

    When a call has raised, those that have not begun are dropped: whoever waits for the results in order never comes to
    them, and each might take as long to fail.

    One whose call is overdue stays behind. The pools of the standard library would have the interpreter wait for it
    at its exit; for daemons it does not wait.
    """

    def __init__(self, name: str, at_most: int, deadline: Deadline) -> None:
        self._name = name
        self._at_most = at_most
        self._deadline = deadline
        self._threads: list[threading.Thread] = []
        self._calls: SimpleQueue[Callable[[], bool] | None] = SimpleQueue()
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(Empty):
            while True:
                self._calls.get_nowait()
        for _ in self._threads:
            self._calls.put(None)
        self._deadline.join(self._threads)

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        if not self._threads or len(self._threads) < self._at_most:
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
            # In this order: an interrupt may strike between the two, and a thread nobody knows of would not be ended.
            self._threads.append(thread)
            thread.start()
        future: Future[Result] = Future()
        self._calls.put(partial(_settle, future, call))
        return future

    def result(self, future: Future[Result]) -> Result:
        return self._deadline.result(future, self._threads)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            if not self._failed and not call():
                self._failed = True
            del call  # or what it gave would be kept until the next one


def _settle(future: Future[Result], call: Callable[[], Result]) -> bool:
    """Whether the call went well. What it raises is for whoever waits, an interrupt too."""
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001
        future.set_exception(error)
        return False
    return True
