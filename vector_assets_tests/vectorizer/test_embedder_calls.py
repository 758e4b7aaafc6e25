"""A busy embedder gets the same call again, for as long as a run waits, and no chunk is blamed for it."""

import _thread
import threading
from collections.abc import Callable

import pytest

from vector_assets.domain.embedder_wait import EmbedderWait
from vector_assets.domain.reports import VectorizeReport
from vector_assets.errors import EmbedderBusy, EmbedderUnavailable
from vector_assets.vectorizer import Vectorizer
from vector_assets.vectorizer.embed_deadline import EmbedDeadline
from vector_assets.vectorizer.embedder_calls import EmbedderCalls

from ..fakes import KEY, SPACE, HashEmbedder, make_live, store_chunks
from ..memory.database import MemoryDatabase
from ..stores import MemoryStores


def busy(retry_after: float | None = 0.0) -> EmbedderBusy:
    """What an embedder raises at its limit of requests."""
    return EmbedderBusy("hash", "429 Too Many Requests", retry_after)


def refusing(times: int, retry_after: float | None = 0.0) -> Callable[[], str]:
    """A call that is refused so many times, and then answered."""
    left = iter(range(times))

    def call() -> str:
        if next(left, None) is not None:
            raise busy(retry_after)
        return "answer"

    return call


def calls(patience: float = 60.0, **given: object) -> EmbedderCalls:
    """The door to an embedder whose calls have a minute."""
    return EmbedderCalls(EmbedDeadline("hash", 60.0), patience, **given)


def test_a_refused_call_is_made_again_and_each_pause_reported() -> None:
    """With the reason, until when it waits, and when it gives up."""
    waits: list[EmbedderWait] = []

    answer = calls(on_wait=waits.append).call(refusing(2, retry_after=1.1))

    assert answer == "answer"
    assert [wait.reason for wait in waits] == ["429 Too Many Requests"] * 2
    assert waits[0].until < waits[1].until < waits[0].gives_up_at
    assert waits[0].gives_up_at - waits[1].gives_up_at < waits[1].until - waits[0].until


def test_of_pauses_at_the_same_time_one_is_reported() -> None:
    """Several threads call at once, and are refused at once; a report that fails costs a warning."""
    reported = threading.Semaphore(0)

    def report(_: EmbedderWait) -> None:
        reported.release()
        raise RuntimeError("nobody listens")

    door = calls(on_wait=report)
    threads = [threading.Thread(target=door.call, args=(refusing(1),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert reported.acquire(blocking=False)
    assert not reported.acquire(blocking=False)


@pytest.mark.parametrize(("patience", "retry_after"), [(0.05, 0.0), (60.0, 3600.0), (0.05, None)])
def test_the_patience_ends(patience: float, retry_after: float | None) -> None:
    """By the time, or at once where the service asks for a longer pause."""
    with pytest.raises(EmbedderUnavailable, match="429 Too Many Requests") as error:
        calls(patience).call(refusing(1000, retry_after))

    assert not error.value.passes


@pytest.mark.parametrize("retry_after", [None, -1.0, float("nan"), float("inf")])
def test_a_pause_that_is_none_is_not_believed(retry_after: float | None) -> None:
    """The wait then follows the number of refusals."""
    assert busy(retry_after).retry_after is None


def test_an_interrupt_ends_the_wait() -> None:
    """The error of the last call is raised."""
    interrupted = threading.Event()

    with pytest.raises(EmbedderBusy):
        calls(7200.0, interrupted=interrupted, on_wait=lambda _: interrupted.set()).call(refusing(1, 3600.0))


class Refused(HashEmbedder):
    """An embedder one of whose methods is refused some times; `sizes` are those of the batches that it was given."""

    def __init__(self, method: str, times: int, retry_after: float | None = 0.0) -> None:
        super().__init__()
        self.concurrency = 2
        self.sizes: list[int] = []
        refuse, work = refusing(times, retry_after), getattr(self, method)

        def refused(*given: object) -> object:
            refuse()
            return work(*given)

        setattr(self, method, refused)
        self.before = lambda texts: self.sizes.append(len(texts))


def vectorize(database: MemoryDatabase, embedder: HashEmbedder, patience: float = 600.0, **given: object) -> object:
    """Run the partition over stores in memory."""
    make_live(database)
    stores = MemoryStores(database)
    vectorizer = Vectorizer(stores.chunks(SPACE.slug), stores.vectors(SPACE.slug), embedder, 4, patience, **given)
    return vectorizer.vectorize_partition(KEY)


@pytest.mark.parametrize("method", ["load", "tokenize", "embed"])
def test_the_same_batch_is_tried_again_and_costs_no_attempt(method: str) -> None:
    """Promise 3: it is not halved either, and what failed beside it is not excused."""
    database, embedder = MemoryDatabase(), Refused(method, 5)
    store_chunks(database, [f"text {number}" for number in range(15)] + ["POISON"])

    report = vectorize(database, embedder)

    assert isinstance(report, VectorizeReport)
    assert (report.vectorized_count, report.failed_count) == (15, 1)
    assert embedder.sizes.count(4) == 4
    assert MemoryStores(database).failures() == [("ValueError", "poison", 1)]


@pytest.mark.parametrize("method", ["load", "tokenize", "embed"])
def test_a_service_that_stays_away_ends_the_run_and_everything_stays_pending(method: str) -> None:
    """No chunk counts as failed, and the next run embeds them all."""
    database = MemoryDatabase()
    store_chunks(database, [f"text {number}" for number in range(16)])

    with pytest.raises(EmbedderUnavailable):
        vectorize(database, Refused(method, 10**6), patience=0.05)

    (status,) = MemoryStores(database).status.status(SPACE.slug)
    assert (status.pending, MemoryStores(database).failures()) == (16, [])
    assert [item.pending for item in MemoryStores(database).status.pending_partitions(SPACE.slug)] == [16]


@pytest.mark.parametrize("method", ["load", "embed"])
def test_ctrl_c_ends_the_wait_at_once(method: str) -> None:
    """The stores are asked to end what they wait for, and no thread is left."""
    database, interrupts = MemoryDatabase(), []
    store_chunks(database, [f"text {number}" for number in range(16)])
    make_live(database)
    stores, embedder = MemoryStores(database), Refused(method, 1, retry_after=300.0)
    vectorizer = Vectorizer(
        stores.chunks(SPACE.slug), stores.vectors(SPACE.slug), embedder, 4, on_interrupt=lambda: interrupts.append(1)
    )

    with pytest.raises(KeyboardInterrupt):
        vectorizer.vectorize_partition(KEY, on_wait=lambda _: _thread.interrupt_main())

    assert interrupts
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vector-assets-")]
