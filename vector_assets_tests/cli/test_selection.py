"""Which partitions patterns and names mean, and what is said where they mean none."""

import pytest

from vector_assets.cli.selection import Selection, selected
from vector_assets.domain.coverage import PartitionStatus
from vector_assets.domain.partition_keys import PartitionKey
from vector_assets.errors import NothingMatches

KEYS = ["cn/report/600519", "hk/report/00700", "us/announcement/AAPL", "us/report/AAPL", "us/report/MSFT"]
STATUSES = [PartitionStatus(PartitionKey.parse(key), 1, 0, 0, None, None) for key in KEYS]


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(), KEYS),
        (Selection(markets=("us",)), KEYS[2:]),
        (Selection(markets=("us", "hk")), KEYS[1:]),
        (Selection(companies=("AAPL",)), KEYS[2:4]),
        (Selection(markets=("us",), doc_types=("report",)), KEYS[3:]),
        (Selection(("*/*/AAPL", "hk/*/*")), KEYS[1:4]),
        (Selection(("*/*/AAPL",), doc_types=("report",)), KEYS[3:4]),
    ],
)
def test_each_kind_narrows_the_others(selection: Selection, meant: list[str]) -> None:
    """Of one kind, any may fit."""
    assert [str(status.partition) for status in selected(STATUSES, selection)] == meant


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(markets=("uss",)), "no partition is of the market uss. The nearest are us."),
        (Selection(companies=("aapl",)), "no partition is of the company aapl. The nearest are AAPL."),
        (Selection(companies=("AAPL", "0700")), "no partition is of the company 0700. The nearest are 00700"),
        (Selection(doc_types=("reports",)), "no partition is of the doc type reports. The nearest are report."),
        (Selection(("us/report/MSTF",)), "no partition matches us/report/MSTF. The nearest are us/report/MSFT"),
        (Selection(markets=("#",)), "no partition is of the market #. Those there are: vector-assets status."),
        (Selection(("hk/*/*",), companies=("AAPL",)), "no partition is all of hk/*/* and AAPL. Those there are"),
    ],
)
def test_what_means_nothing_is_answered_with_the_nearest(selection: Selection, message: str) -> None:
    """A slip of the pen is mended quickly."""
    with pytest.raises(NothingMatches) as raised:
        selected(STATUSES, selection)

    assert str(raised.value).startswith(message)


def test_a_selection_can_be_typed_again() -> None:
    """As the shell wants it."""
    selection = Selection(("us/*/*",), ("us",), ("BRK B",), ("report",))

    assert selection.as_typed() == " 'us/*/*' --market us --company 'BRK B' --doc-type report"
    assert Selection().as_typed() == ""
