"""Which partitions share a run, and which runs come first."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.domain.run_grouping import PartitionOrder, RunRange, WaitingPartition, choose_ranges

MOST = 100
_START = datetime(2026, 1, 1, tzinfo=UTC)


def key(number: int, market: str = "us") -> PartitionKey:
    return PartitionKey(market, "annual_report", f"X{number:05}")


def waiting(number: int, market: str = "us", age: int = 0, chunks: int = 20) -> WaitingPartition:
    """It has waited for `age` minutes."""
    return WaitingPartition(key(number, market), _START - timedelta(minutes=age), chunks)


def chosen(
    items: list[WaitingPartition],
    order: list[PartitionKey],
    blocked: set[str] | None = None,
    most_partitions: int = 50,
    most: int = MOST,
    slots: int = 1,
) -> list[list[str]]:
    """The partitions of each request."""
    order_ = PartitionOrder([str(one) for one in order], blocked or set(), most_partitions, slots)
    return [[str(one) for one in request.partitions] for request in choose_ranges(items, order_, most)]


def test_small_neighbours_share_a_run() -> None:
    """As many as the setting allows."""
    order = [key(number) for number in range(120)]

    requests = chosen([waiting(number) for number in range(120)], order)

    assert [len(request) for request in requests] == [50, 50, 20]


def test_a_few_idle_partitions_may_lie_between_and_many_may_not() -> None:
    """A partition in between costs less than a run, up to a point."""
    order = [key(number) for number in range(40)]

    requests = chosen([waiting(0), waiting(11), waiting(30)], order)

    assert [(request[0], request[-1], len(request)) for request in requests] == [
        (str(key(0)), str(key(11)), 12),
        (str(key(30)), str(key(30)), 1),
    ]


def test_no_range_holds_a_partition_that_is_blocked() -> None:
    """It would wait for the run that is under way there, or try again what has just failed."""
    order = [key(number) for number in range(5)]

    requests = chosen([waiting(number) for number in range(5)], order, {str(key(2))})

    assert requests == [[str(key(0)), str(key(1))], [str(key(3)), str(key(4))]]


def test_no_range_leaves_its_market_or_holds_a_key_that_somebody_mistyped() -> None:
    """Tags and fairness are by market; a mistyped key is none."""
    order = [str(key(0)), "us/oops", str(key(1)), str(key(0, "hk")), str(key(2))]

    requests = choose_ranges([waiting(0), waiting(1), waiting(2)], PartitionOrder(order, set(), 50), MOST)

    assert [[str(one) for one in request.partitions] for request in requests] == [
        [str(key(0))],
        [str(key(1))],
        [str(key(2))],
    ]


def test_large_partitions_run_alone() -> None:
    """A run ends after a minute or two."""
    order = [key(number) for number in range(3)]

    requests = chosen([waiting(0, chunks=4000), waiting(1, chunks=4000), waiting(2, chunks=96)], order)

    assert requests == [[str(key(0))], [str(key(1)), str(key(2))]]


def test_nodes_that_share_the_work_get_several_ranges_each() -> None:
    """Larger ones would leave a node alone at the end, much smaller ones would be mostly the starts of runs."""
    order = [key(number) for number in range(40)]

    def sizes(chunks: int, slots: int) -> list[int]:
        items = [waiting(number, chunks=chunks) for number in range(40)]
        return [len(request) for request in chosen(items, order, slots=slots)]

    assert sizes(500, slots=1) == [8] * 5
    assert sizes(500, slots=2) == [5] * 8
    assert sizes(500, slots=64) == [2] * 20
    assert sizes(100, slots=1) == [40]
    assert sizes(100, slots=2) == [10] * 4


def test_large_partitions_come_first_where_runs_work_side_by_side() -> None:
    """The last one to begin is small, so that no node works alone for long; what has waited for hours is before it."""
    order = [key(number) for number in range(4)]
    sizes = enumerate([3000, 100, 4000, 2000])
    items = [waiting(number, age=100 if chunks == 100 else number + 1, chunks=chunks) for number, chunks in sizes]

    requests = chosen(items, order, most_partitions=1, slots=2)

    assert requests == [[str(key(number))] for number in (1, 2, 0, 3)]
    assert chosen(items, order, most_partitions=1) == [[str(key(number))] for number in (1, 3, 2, 0)]


def test_the_oldest_come_first_and_each_market_has_its_turn() -> None:
    """A market with thousands of pending partitions does not keep another's one waiting."""
    far_apart = [key(number) for number in range(0, 6000, 20)]
    order = [key(number) for number in range(6000)] + [key(0, "hk")]
    items = [WaitingPartition(one, _START - timedelta(minutes=60 + at), 20) for at, one in enumerate(far_apart)]

    requests = chosen([*items, waiting(0, "hk", age=1)], order)

    assert len(requests) == MOST
    assert requests[0] == [str(far_apart[-1])]
    assert requests[1] == [str(key(0, "hk"))]
    assert requests[2:] == [[str(one)] for one in far_apart[-2:-100:-1]]


def test_a_full_queue_gets_nothing_more() -> None:
    """What is there must be done first."""
    assert chosen([waiting(0)], [key(0)], most=0) == chosen([waiting(0)], [key(0)], most=-3) == []


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["us", "hk"]), st.integers(1, 5000)), max_size=60),
    st.sets(st.tuples(st.integers(0, 60), st.sampled_from(["us", "hk"]))),
    st.integers(1, 20),
)
def test_each_free_partition_is_in_one_request_and_no_blocked_one_in_any(
    drawn: list[tuple[int, str, int]], blocked: set[tuple[int, str]], most: int
) -> None:
    """Whatever waits and whatever is blocked; requests are neighbours in Dagster's order."""
    items = list({(n, m): waiting(n, m, age=n, chunks=c) for n, m, c in drawn}.values())
    order = [str(key(n, m)) for m in ("hk", "us") for n in range(61)]
    closed = {str(key(n, m)) for n, m in blocked}

    requests: list[RunRange] = choose_ranges(items, PartitionOrder(order, closed, most), 1000)

    covered = [str(one) for request in requests for one in request.partitions]
    assert len(covered) == len(set(covered))
    assert {str(item.partition) for item in items} - closed <= set(covered)
    assert not closed & set(covered)
    for request in requests:
        at = order.index(str(request.partitions[0]))
        assert [str(one) for one in request.partitions] == order[at : at + len(request.partitions)]
        assert len(request.partitions) <= most
