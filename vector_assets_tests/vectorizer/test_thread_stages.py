"""The stages that work in threads keep the order, give results without delay, and are bounded."""

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

import pytest

from vector_assets.errors import EmbedderHung
from vector_assets.vectorizer.embed_deadline import EmbedDeadline
from vector_assets.vectorizer.thread_stages import WaitSeconds, map_as_done, map_in_order, read_ahead

DEADLINE = EmbedDeadline("a model", 60.0)
PATIENCE = 30.0


def test_a_result_is_given_while_the_next_item_is_still_being_made() -> None:
    """A batch is reported as soon as it is committed, however long the embedder takes for the next batch."""
    result_given = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert result_given.wait(PATIENCE), "the first result was kept back"
        yield 2

    found = []
    for result in map_as_done(lambda item: item * 10, items(), 2, DEADLINE, WaitSeconds()):
        found.append(result)
        result_given.set()

    assert found == [10, 20]


def test_results_come_in_the_order_of_their_items() -> None:
    """Even if a later result is done first."""
    later_done = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            assert later_done.wait(PATIENCE), "they are not worked on at once"
        else:
            later_done.set()
        return item

    assert list(map_as_done(work, iter([1, 2, 3]), 2, DEADLINE, WaitSeconds())) == [1, 2, 3]


def test_what_was_made_before_an_error_is_worked_on_first() -> None:
    """Batches that are embedded are committed before the run ends."""

    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise ValueError("the embedder broke")

    given: list[int] = []
    with pytest.raises(ValueError, match="broke"):
        given.extend(map_as_done(lambda item: item, items(), 2, DEADLINE, WaitSeconds()))

    assert given == [1, 2, 3]


def test_after_a_failure_nothing_more_is_begun() -> None:
    """After a failed commit, each further commit might need as long to fail."""
    begun: list[int] = []
    third_began = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 2:
            raise ValueError("the database is away")
        if item == 3:
            third_began.set()
        third_began.wait(0.2)  # the first is still at it, while the other worker could take up the third

    with pytest.raises(ValueError, match="away"):
        list(map_as_done(work, iter([1, 2, 3, 4]), 2, DEADLINE, WaitSeconds()))

    assert sorted(begun) == [1, 2]


def test_the_embed_stage_takes_no_more_items_than_can_wait() -> None:
    """One for each thread, and two more."""
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = map_in_order(lambda item: item, items(), 3, DEADLINE)
    first = next(results)
    results.close()

    assert (first, len(taken)) == (0, 5)


def test_the_next_item_is_made_while_the_present_one_is_used() -> None:
    """A window is read while the one before it is embedded."""
    second_made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        second_made.set()
        yield 2

    found = []
    for item in read_ahead(items(), DEADLINE):
        found.append(item)
        assert second_made.wait(PATIENCE), "the second item is not made ahead"

    assert found == [1, 2]


def test_the_oldest_call_of_the_embedder_is_overdue_first() -> None:
    """A call that hangs is found even if other threads make new calls all the time."""
    deadline, stop = EmbedDeadline("a model", 0.2), threading.Event()

    def hang() -> None:
        with deadline.embedder_call():
            stop.wait(PATIENCE)

    def make_short_calls() -> None:
        for _ in range(200):
            with deadline.embedder_call():
                if stop.wait(0.05):
                    return

    threads = [threading.Thread(target=work, daemon=True) for work in (hang, make_short_calls)]
    for thread in threads:
        thread.start()

    with pytest.raises(EmbedderHung):
        deadline.wait_for_result(Future(), threads)

    assert threads[1].is_alive(), "the hanging call was found after the short calls only"
    stop.set()
    for thread in threads:
        thread.join(PATIENCE)


def test_results_that_are_late_are_given_after_the_last_item() -> None:
    """The last commits may take longer than anything before them."""
    exhausted = threading.Event()

    def items() -> Iterator[int]:
        yield from (1, 2)
        exhausted.set()

    def work(item: int) -> int:
        assert exhausted.wait(PATIENCE)
        time.sleep(0.1)  # so that the stage has seen the end of the items
        return item

    assert list(map_as_done(work, items(), 2, DEADLINE, WaitSeconds())) == [1, 2]


def test_the_commit_stage_takes_no_more_items_than_can_wait() -> None:
    """One for each thread, two more, and one that is taken ahead, however slow the work is."""
    taken: list[int] = []
    taken_during_work: list[int] = []
    never = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    def work(item: int) -> None:
        if not item:
            never.wait(0.3)
            taken_during_work.append(len(taken))

    results = map_as_done(work, items(), 2, DEADLINE, WaitSeconds())
    next(results)
    results.close()

    assert taken_during_work[0] <= 5


def test_calls_that_wait_are_dropped_when_a_stage_is_closed() -> None:
    """A run that is stopped finishes what has begun and begins nothing more."""
    begun: list[int] = []
    second_begun, closed = threading.Event(), threading.Event()

    class DeadlineThatSeesTheClosing(EmbedDeadline):
        def join(self, threads: Sequence[threading.Thread]) -> None:
            closed.set()
            super().join(threads)

    def work(item: int) -> None:
        begun.append(item)
        if item == 2:
            second_begun.set()
            assert closed.wait(PATIENCE)

    results = map_in_order(work, iter([1, 2, 3]), 1, DeadlineThatSeesTheClosing("a model", 60.0))
    next(results)
    assert second_begun.wait(PATIENCE)
    results.close()

    assert begun == [1, 2]


class Result:
    """Something that a weak reference can refer to."""


def test_a_result_that_was_given_is_not_kept_in_memory() -> None:
    """Memory follows the batches that are under way."""
    references: list[weakref.ref[Result]] = []

    def work(_: int) -> Result:
        result = Result()
        references.append(weakref.ref(result))
        return result

    results = map_in_order(work, iter([1]), 1, DEADLINE)
    assert isinstance(next(results), Result)  # the stage is still open, and its thread waits for the next call

    deadline = time.monotonic() + PATIENCE
    while references[0]() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert references[0]() is None
    results.close()


def test_no_more_is_made_than_can_wait() -> None:
    """The number of items that wait is bounded, however slowly the results are taken."""
    made = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    results = map_as_done(lambda item: item, items(), 2, DEADLINE, WaitSeconds())
    next(results)
    results.close()

    assert len(made) <= 6
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vector-assets-")]


def test_an_interrupt_while_a_thread_is_started_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C may come at any point of the main thread: here when the second commit thread has just begun to run."""
    start = threading.Thread.start

    def start_interrupted(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "vector-assets-commit-1":
            raise KeyboardInterrupt

    def take_all() -> None:
        with pytest.raises(KeyboardInterrupt):
            list(map_as_done(lambda item: item, iter([1, 2, 3]), 2, DEADLINE, WaitSeconds()))

    monkeypatch.setattr(threading.Thread, "start", start_interrupted)
    taking = threading.Thread(target=take_all, daemon=True)
    taking.start()
    taking.join(PATIENCE)

    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("vector-assets-")] == []
    assert not taking.is_alive()
