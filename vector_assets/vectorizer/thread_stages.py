"""Stages of the loop whose work is done in threads. They are bounded, keep the order, and end with the run.

`read_ahead` makes the next item while the present one is in use. `map_in_order` calls a function in several threads.
`map_as_done` does the same and gives each result as soon as it is there, even while it still waits for the next item.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from .embed_deadline import ANSWER_SIGNALS_SECONDS, EmbedDeadline

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items that may wait beside those that are being worked on, at least. With these no thread is idle while one result is
# committed. Where many threads wait for a server, half as many more let them go on while the first answer is late.
_SPARE_ITEMS = 2


def run_in_thread(call: Callable[[], Result], deadline: EmbedDeadline) -> Result:
    """Make one call in a thread that can be abandoned, and return its result."""
    with _WorkerThreads("vector-assets-load", 1, deadline) as worker:
        return worker.wait_for_result(worker.submit(call))


def read_ahead(items: Iterator[Item], deadline: EmbedDeadline) -> Generator[Item]:
    """Yield the items. A thread makes the next item while the caller uses the present one.

    An error of the iterator is raised after the items that it made before.
    """
    with _WorkerThreads("vector-assets-read", 1, deadline) as reader:
        next_item = reader.submit(partial(next, items, None))
        while (item := reader.wait_for_result(next_item)) is not None:
            next_item = reader.submit(partial(next, items, None))
            yield item


def map_in_order(
    work: Callable[[Item], Result], items: Iterator[Item], concurrency: int, deadline: EmbedDeadline
) -> Generator[Result]:
    """Yield `work(item)` of each item, in order. Up to `concurrency` threads work at a time.

    The calling thread takes the items. When the generator is closed, or `work` raises, calls that have not begun are
    dropped, and calls that have begun are waited for.
    """
    results: deque[Future[Result]] = deque()
    with _WorkerThreads("vector-assets-embed", concurrency, deadline) as workers:
        for item in items:
            results.append(workers.submit(partial(work, item)))
            if len(results) >= concurrency + max(_SPARE_ITEMS, concurrency // 2):
                yield workers.wait_for_result(results.popleft())
        while results:
            yield workers.wait_for_result(results.popleft())


@dataclass
class WaitSeconds:
    """Seconds in which `map_as_done` had no result to give. Only the thread that takes the results writes them.

    `for_item` is the time in which the next item was not ready, `for_work` the time in which all threads were busy.
    """

    for_item: float = 0.0
    for_work: float = 0.0


def map_as_done(
    work: Callable[[Item], Result], items: Iterator[Item], concurrency: int, deadline: EmbedDeadline, waits: WaitSeconds
) -> Generator[Result]:
    """Yield `work(item)` of each item, in order, as soon as it is done, even while the next item is being made.

    A thread takes the items, and up to `concurrency` threads work. An error of the iterator is raised after the results
    of the items before it. When the generator is closed, or `work` raises, calls that have not begun are dropped, and
    calls that have begun are waited for.
    """
    results: deque[Future[Result]] = deque()
    with (
        _WorkerThreads("vector-assets-commit", concurrency, deadline) as workers,
        _WorkerThreads("vector-assets-take", 1, deadline) as taker,
    ):
        done = _AnyDone()
        next_item = done.watch(taker.submit(partial(next, items, None)))
        exhausted = False
        while results or not exhausted:
            accepts_item = not exhausted and len(results) < concurrency + _SPARE_ITEMS
            waited = done.wait(*([next_item] if accepts_item else []), *([results[0]] if results else []))
            if accepts_item:
                waits.for_item += waited
            else:
                waits.for_work += waited
            item_failed = next_item.done() and next_item.exception() is not None
            if results and (results[0].done() or item_failed):
                yield results.popleft().result()
            elif (item := next_item.result()) is None:
                exhausted = True
            else:
                results.append(done.watch(workers.submit(partial(work, item))))
                next_item = done.watch(taker.submit(partial(next, items, None)))


class _AnyDone:
    """Waits until one of several futures is done. One thread waits, over and over; `watch` each future once.

    `concurrent.futures.wait` would look through all futures, and make locks for each of them, every time.
    """

    def __init__(self) -> None:
        self._one_is_done = threading.Event()

    def watch(self, future: Future[Result]) -> Future[Result]:
        future.add_done_callback(lambda _: self._one_is_done.set())
        return future

    def wait(self, *futures: Future[Any]) -> float:
        """Wait until one of these is done, and return the seconds that this took."""
        started = time.perf_counter()
        self._one_is_done.clear()
        while not any(future.done() for future in futures):
            self._one_is_done.wait(ANSWER_SIGNALS_SECONDS)
            self._one_is_done.clear()
        return time.perf_counter() - started


@contextmanager
def calling_on_error(call: Callable[[BaseException], None]) -> Iterator[None]:
    """Call the function with the error that the block raises, before anything around the block sees it."""
    try:
        yield
    except BaseException as error:
        call(error)
        raise


class _WorkerThreads:
    """Up to a number of threads that make the submitted calls in order. They end with the `with` block.

    When a call raises, the calls that have not begun are dropped. The results are taken in order, so nobody would take
    those of later calls, and each of these might need as long to fail.

    A thread whose call of the embedder is overdue is abandoned. The threads are daemons, because the interpreter does
    not wait for daemons when it exits; it does wait for the thread pools of the standard library.
    """

    def __init__(self, name: str, max_threads: int, deadline: EmbedDeadline) -> None:
        self._name = name
        self._max_threads = max_threads
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
        if error is not None:
            self._deadline.on_failure(error)
        self._deadline.join(self._threads)

    def submit(self, call: Callable[[], Result]) -> Future[Result]:
        if not self._threads or len(self._threads) < self._max_threads:
            thread = threading.Thread(target=self._make_calls, name=f"{self._name}-{len(self._threads)}", daemon=True)
            # In this order: an interrupt may come between the two lines, and a thread that is not listed is not ended.
            self._threads.append(thread)
            thread.start()
        future: Future[Result] = Future()
        self._calls.put(partial(_complete, future, call))
        return future

    def wait_for_result(self, future: Future[Result]) -> Result:
        return self._deadline.wait_for_result(future, self._threads)

    def _make_calls(self) -> None:
        while (call := self._calls.get()) is not None:
            if not self._failed and not call():
                self._failed = True
            del call  # otherwise its result would be kept in memory until the next call


def _complete(future: Future[Result], call: Callable[[], Result]) -> bool:
    """Make the call and set the future to its result or its error, interrupts included. Return whether it succeeded."""
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001
        future.set_exception(error)
        return False
    return True
